# Copyright 2026 The foundry_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""A student of regions: who owns which group, one code for every budget, exact export."""

from copy import deepcopy
from dataclasses import replace

import pytest

torch = pytest.importorskip('torch')

from training import config, export  # noqa: E402
from training.config import ConfigError  # noqa: E402
from training.export import largest_differences, write_onnx  # noqa: E402
from training.models.backbone import pool, Size  # noqa: E402
from training.models.regions import regions, RegionStudent, RegionUpsample  # noqa: E402
from training.models.student import MENU  # noqa: E402
from training.tasks.describe import macs  # noqa: E402
from training.tasks.distill import make_student, start_from  # noqa: E402
from training.tasks.finetune import begin, begin_heads, Recogniser  # noqa: E402

SMALL = Size(width=16, depth=2, heads=2, first=[8], second=[16], drop_path=0, dropout=0,
             tokenizer='lean')


def clouds(batch=3):
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(batch, 64, 32, 3, generator=generator) * 0.1,
            torch.randn(batch, 64, 3, generator=generator))


@pytest.mark.parametrize('budget', MENU)
def test_every_region_owns_its_seed_and_every_group_has_one_region(budget):
    own = regions(clouds()[1], budget)
    assert own.shape == (3, 64, budget) and bool((own.sum(2) == 1).all())
    assert bool((own[:, :budget].diagonal(dim1=1, dim2=2) == 1).all())


@torch.no_grad()
def test_coinciding_centres_leave_no_region_empty():
    groups, centers = clouds()
    centers[:, 1:] = centers[:, :1]
    student = RegionStudent(SMALL, 16).eval()
    for budget in MENU:
        own = regions(centers, budget)
        assert bool((own.sum(1) >= 1).all())
        assert bool((own[:, budget:, 0] == 1).all())  # of equally near ones the first
        made = student(groups, centers, budget)
        assert bool(made.tokens.isfinite().all() and made.summary.isfinite().all())
    assert torch.allclose(made.tokens, student.backbone(groups, centers), atol=1e-5)


@torch.no_grad()
def test_with_all_tokens_it_is_its_backbone():
    groups, centers = clouds()
    student = RegionStudent(SMALL, 16).eval()
    made, plain = student(groups, centers, 64), student.backbone(groups, centers)
    assert torch.allclose(made.tokens, plain, atol=1e-5)
    assert torch.allclose(made.summary[:, :32], pool(plain), atol=1e-5)
    assert not torch.allclose(student(groups, centers, 32).tokens, plain, atol=1e-2)


def test_where_every_token_is_a_region_of_its_own_nothing_is_summarised_or_rebuilt():
    with torch.device('meta'):
        student = RegionStudent(SMALL, 16, pooled=0)
    cost = {budget: macs(student, {}, budget) for budget in (32, 64)}
    assert cost[64]['encoder'] > cost[32]['encoder'] and cost[64]['cau'] < cost[32]['cau'] / 10


@torch.no_grad()
def test_a_group_knows_of_its_region_and_without_a_residual_of_nothing_else():
    groups, centers = clouds()
    own = regions(centers, 4)
    inside = (own[0, :, 0] == 1).nonzero().flatten()[:2]
    for residual in (True, False):
        student = RegionStudent(SMALL, 16, residual=residual).eval()
        one, other = student(groups, centers, 4).tokens[0, inside]
        assert torch.allclose(one, other, atol=1e-5) is not residual


def test_what_is_rebuilt_begins_beside_what_the_encoder_says_and_may_take_it_back():
    torch.manual_seed(0)
    upsample, seen = RegionUpsample(16), torch.randn(1, 4, 16)
    own = torch.tensor([[[1.0, 0], [1, 0], [1, 0], [0, 1]]])
    extent = torch.tensor([[[1.0], [0.0]]])  # of a region of many tokens, and one of one
    x, other = torch.randn(2, 1, 2, 16)
    made = upsample(seen, own, x, extent)
    torch.testing.assert_close(made[0, 3], x[0, 1])
    told = (own @ upsample.told(x))[0, 0]
    first, _, last = upsample.mlp
    wanted = x[0, 0] + last(torch.nn.functional.gelu(first(seen[0, 0]) + told))
    torch.testing.assert_close(made[0, 0], wanted)
    with torch.no_grad():
        upsample.told.weight.zero_()
        upsample.kept.weight.zero_()
        made = [upsample(seen, own, y, extent)[0] for y in (x, other)]
    torch.testing.assert_close(made[0][:3], made[1][:3])
    torch.testing.assert_close(made[0][3], x[0, 1])


@pytest.mark.parametrize('extent, share', [(0.0, 0.0), (1 / 6, 0.518), (1 / 3, 0.802), (1.0, 1.0)])
def test_what_is_seen_of_a_token_soon_counts_in_full(extent, share):  # regions of 1, 2, 4, 64
    torch.manual_seed(0)
    upsample, seen, own = RegionUpsample(16), torch.randn(1, 1, 16), torch.ones(1, 1, 1)
    x = torch.zeros(1, 1, 16)
    made = upsample(seen, own, x, torch.full((1, 1, 1), extent))
    torch.testing.assert_close(made, share * upsample.mlp(seen), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize('options', [{}, {'pooled': 0}, {'residual': False}, {'early': 1}])
def test_export_is_exact_at_every_budget(options, tmp_path):
    torch.manual_seed(0)
    model = Recogniser(RegionStudent(SMALL, 16, **options), 16, 5, 4).eval()
    if model.student.own is not None:  # which begins at 0 and would hide a mistake
        torch.nn.init.normal_(model.student.whole.weight, std=0.1)
    write_onnx(model, tmp_path / 'model.onnx')
    found = largest_differences(model, tmp_path / 'model.onnx', *(x.numpy() for x in clouds()))
    assert max(found.values()) < 1e-4


def test_a_control_without_an_encoder_is_no_bundle(monkeypatch):
    model = Recogniser(RegionStudent(SMALL, 16, encode=False), 16, 5, 4)
    monkeypatch.setattr(export, 'load_model', lambda _: model)
    with pytest.raises(ConfigError, match='encode: false.* is the same at every budget'):
        export.run({'bundle': {}})


@torch.no_grad()
def test_the_budget_matters_to_the_encoders_summary_and_not_to_the_students_own():
    groups, centers = clouds()
    student = RegionStudent(SMALL, 16).eval()
    one, all_of_them = (student(groups, centers, b).summary for b in (1, 64))
    assert not torch.allclose(one[:, :32], all_of_them[:, :32], atol=1e-3)
    assert torch.equal(one[:, 32:64], all_of_them[:, 32:64])


@torch.no_grad()
def test_the_fewer_the_regions_the_more_they_are_told_of_the_whole():
    student, told = RegionStudent(SMALL, 16).eval(), RegionStudent(SMALL, 16).eval()
    told.load_state_dict(student.state_dict())
    torch.nn.init.normal_(told.whole.weight, std=0.02)
    moved = [(told(*clouds(), b).tokens - student(*clouds(), b).tokens).abs().mean()
             for b in (1, 8, 64)]
    assert moved[0] > moved[1] > 1e-4 and moved[2] < 1e-6


def test_another_width_than_the_teachers_is_refused():
    with pytest.raises(ValueError, match='as wide as its teacher, 24, not 16'):
        RegionStudent(SMALL, 24)


def seen_early(student, groups, centers):
    """Give the tokens (B, c, d) that leave the early blocks."""
    return student.embed(groups, centers)[0]


@torch.no_grad()
def test_early_blocks_see_all_tokens_and_are_the_encoders_first():
    groups, centers = clouds()
    student = RegionStudent(SMALL, 16, early=1).eval()
    assert torch.allclose(student(groups, centers, 64).tokens, student.backbone(groups, centers),
                          atol=1e-5)
    before = seen_early(student, groups, centers)
    nudged = groups.clone()
    nudged[:, -1] += 0.1
    assert not torch.equal(before[:, 0], seen_early(student, nudged, centers)[:, 0])
    assert student.backbone.encoder.blocks[0] in student.untouched()
    assert student.backbone.encoder.blocks[1] not in student.untouched()


@pytest.mark.parametrize('moved, heard', [(10, True), (100, False)])
@torch.no_grad()
def test_early_blocks_attend_to_the_first_tokens_of_many(moved, heard):
    groups, centers = (torch.cat([x, x + 0.1], dim=1) for x in clouds())
    student = RegionStudent(SMALL, 16, early=1).eval()
    before, nudged = seen_early(student, groups, centers), groups.clone()
    nudged[:, moved] += 0.1
    after = seen_early(student, nudged, centers)
    assert torch.equal(before[:, 0], after[:, 0]) is not heard
    assert not torch.equal(before[:, moved], after[:, moved])


@pytest.mark.parametrize('early', [2, -1])
def test_a_block_is_left_for_the_regions(early):
    with pytest.raises(ValueError, match=f'early is 0 to 1 of 2 blocks, not {early}'):
        RegionStudent(SMALL, 16, early=early)


def checkpoint(path, model, **student):
    """Write a checkpoint as a run would; ``student`` is that section of its configuration."""
    torch.save({'state_dict': {f'model.{k}': v for k, v in model.state_dict().items()},
                'hyper_parameters': {'config': {'student': student}}}, path)
    return path


@pytest.mark.parametrize('depth, early, error, said', [
    (1, 0, ConfigError, 'lacks backbone.encoder.blocks.1'),
    (2, 1, ConfigError, 'other.ckpt is of a student with student.early=1, not 0')])
def test_a_student_with_other_blocks_is_not_begun_with(depth, early, error, said, tmp_path):
    made = Recogniser(RegionStudent(replace(SMALL, depth=depth), 16, early=early), 16, 5, 4)
    other = checkpoint(tmp_path / 'other.ckpt', made, early=early)
    with pytest.raises(error, match=said):
        begin(RegionStudent(SMALL, 16), other)


@pytest.mark.parametrize('of_model, of_checkpoint', [
    ({}, {'pooled': 0}), ({'pooled': 0}, {'encode': False}), ({'encode': False}, {'pooled': 0})])
def test_heads_that_read_something_else_are_not_begun_with(of_model, of_checkpoint, tmp_path):
    model, other = (Recogniser(RegionStudent(SMALL, 16, **options), 16, 5, 4)
                    for options in (of_model, of_checkpoint))
    path = checkpoint(tmp_path / 'other.ckpt', other, **of_checkpoint)
    with pytest.raises(ConfigError, match='other.ckpt has no class head of the kind'):
        begin_heads(model, path)


@pytest.mark.parametrize('early, kind', [(1, 'own'), (0, 'encoded')])
def test_a_control_without_an_encoder_begins_with_the_head_that_reads_its_summary(
        early, kind, tmp_path):
    teacher = Recogniser(RegionStudent(SMALL, 16, early=1), 16, 5, 4)
    path = checkpoint(tmp_path / 'teacher.ckpt', teacher, early=1)
    control = Recogniser(RegionStudent(SMALL, 16, encode=False, early=early), 16, 5, 4)
    begin_heads(control, path)
    wanted = getattr(teacher.class_head, kind).state_dict()
    for name, value in control.class_head.state_dict().items():
        assert torch.equal(value, wanted[name]), name


def test_the_shipped_bundles_stages_follow_on_from_each_other(tmp_path):
    teacher, distilled, tuned = (config.load(f'training/configs/{stage}.yaml')
                                 for stage in ('small/teacher', 'lean/distill', 'lean/finetune'))
    model = Recogniser(make_student(teacher), 128, 5, 4)
    kept = checkpoint(tmp_path / 'teacher.ckpt', model, **teacher['student'])
    student = make_student(distilled)
    frozen = start_from(student, kept, distilled['student']['from_teacher'])
    assert student.backbone.encoder.blocks[0] in frozen
    assert not any(p.requires_grad for part in frozen for p in part.parameters())
    for name, value in model.student.state_dict().items():
        assert torch.equal(student.state_dict()[name], value), name
    made = make_student(tuned)
    made.load_state_dict(student.state_dict())
    begin_heads(Recogniser(made, 128, 5, 4), kept)


def test_a_student_with_other_early_blocks_begins_with_the_backbone_alone(tmp_path):
    teacher = Recogniser(RegionStudent(SMALL, 16, early=1), 16, 5, 4)
    kept = checkpoint(tmp_path / 'teacher.ckpt', teacher, early=1)
    student = RegionStudent(SMALL, 16, encode=False)
    before = deepcopy(student.mix.state_dict())
    with pytest.raises(ConfigError, match='teacher.ckpt is of a student'):
        start_from(student, kept, True)
    assert start_from(student, kept, 'shared') == []
    assert all(p.requires_grad for p in student.parameters())
    for name, value in student.backbone.state_dict().items():
        assert torch.equal(teacher.student.backbone.state_dict()[name], value), name
    for name, value in student.mix.state_dict().items():
        assert torch.equal(before[name], value), name
