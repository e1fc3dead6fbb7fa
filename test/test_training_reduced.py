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

"""Students by other means: budgets, counts of the paper, order, gradients, exports."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training import config as configuration  # noqa: E402, I100
from training import export_fixed  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.models.reduce import progressive  # noqa: E402
from training.models.reduce.schedule import affordable  # noqa: E402
from training.models.reduced import KINDS, make  # noqa: E402
from training.tasks.describe import describe  # noqa: E402
from training.tasks.distill import make_student  # noqa: E402
from training.tasks.finetune import Recogniser  # noqa: E402
from training.tasks.initial import encode, levels  # noqa: E402

CONFIGS = Path('training/configs')
SMALL = Size(width=24, depth=4, heads=2, first=(8, 16), second=(16,), drop_path=0.0, dropout=0.0)
MERGES = ['tome', 'pitome']


def clouds(batch=2, seed=0):
    """Give groups around centres that are among their points."""
    g = torch.Generator().manual_seed(seed)
    size = torch.rand(batch, 64, 1, 3, generator=g) * 0.4
    groups = torch.randn(batch, 64, 32, 3, generator=g) * size
    groups[:, :, 0] = 0
    return groups, torch.randn(batch, 64, 3, generator=g) * 0.4


def student(kind, count=16, **options):
    torch.manual_seed(0)
    made = make(SMALL, 24, {'reduce': kind, 'supertokens': count, **options})
    if kind == 'prototypes':
        made.prototypes.normal_()
    return made.eval()


def described(name, *overrides):
    return describe(configuration.load(CONFIGS / name, overrides))


@pytest.mark.parametrize('kind', KINDS)
def test_every_token_is_rebuilt_from_as_many_as_the_budget_says(kind):
    made, inputs = student(kind), clouds()
    rebuilt = made(*inputs)
    assert rebuilt.tokens.shape == (2, 64, 24) and rebuilt.back.shape == (2, 64, 16)
    torch.testing.assert_close(rebuilt.back.sum(2), torch.ones(2, 64))
    again = made.rebuild(*made.embed(*inputs), 16)
    torch.testing.assert_close(again.tokens, rebuilt.tokens)
    for row in range(2):  # a batch is its clouds
        alone = made(*(x[row:row + 1] for x in inputs))
        torch.testing.assert_close(alone.tokens[0], rebuilt.tokens[row], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('kind', KINDS)
def test_with_all_tokens_it_is_the_plain_encoder(kind):
    made, inputs = student(kind), clouds()
    rebuilt = made(*inputs, 64)
    wanted = made.backbone(*inputs)
    if made.upsample is not None:
        wanted = made.upsample(made.backbone.tokenizer(inputs[0]) + wanted)
    if kind == 'larger_groups':  # groups of the same size, made of points that are in one alone
        assert rebuilt.tokens.shape == wanted.shape
    else:
        torch.testing.assert_close(rebuilt.tokens, wanted)


@pytest.mark.parametrize('kind', [k for k in KINDS if k not in ('prototypes', 'patch_merger')])
@pytest.mark.parametrize('budget', [4, 16, 21, 32])
def test_other_budgets_need_no_other_weights(kind, budget):
    rebuilt = student(kind)(*clouds(), budget)
    assert rebuilt.back.shape[2] == budget
    assert (rebuilt.back.sum(1) > 0).float().mean() > 0.9  # hardly a token is never handed back


@pytest.mark.parametrize('kind', [k for k in KINDS if k != 'prototypes'])
def test_everything_that_can_learn_does(kind):
    made = student(kind, upsample='cau') if 'upsample' in KINDS[kind].OPTIONS else student(kind)
    made.train()(*clouds()).tokens.square().mean().backward()
    stuck = [name for name, p in made.named_parameters()
             if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.abs().sum()]
    assert not stuck


@pytest.mark.parametrize('kind', [k for k in KINDS if k != 'prototypes'])
def test_half_precision_and_equal_tokens_give_no_nan(kind):
    made = student(kind).train()
    with torch.autocast('cpu', torch.bfloat16):
        groups, centers = clouds()
        loss = made(groups[:, :1].expand_as(groups), centers).tokens.float().square().mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in made.parameters() if p.grad is not None)


def test_clusters_without_members_are_not_attended_to():
    groups, centers = clouds()
    groups = groups[:, :1].expand_as(groups)  # all tokens alike: one cluster has them all
    made = student('kmeans')
    torch.testing.assert_close(made(groups, centers, 16).tokens, made(groups, centers, 1).tokens)


def test_prototypes_leave_the_backbone_alone_and_forget_where_a_token_was():
    made, (groups, centers) = student('prototypes'), clouds()
    assert not [p for p in made.parameters() if p.requires_grad]
    before = made.backbone.tokenizer.inner_norm.running_mean.clone()
    found = made.train()(groups, centers).tokens
    assert torch.equal(made.backbone.tokenizer.inner_norm.running_mean, before)
    assert torch.equal(made(groups, centers + 1).tokens, found)
    assert len(found.flatten(0, 1).unique(dim=0)) <= 16


@pytest.mark.parametrize('kind', MERGES)
@pytest.mark.parametrize('schedule', ['halving', 'even', 'geometric'])
def test_merged_tokens_are_means_and_count_as_many(kind, schedule):
    made = student(kind, schedule=schedule)
    tokens, position = made.backbone.embed(*clouds())
    removed = made.schedule(64, 16, 4)
    after = progressive.encode(made.backbone.encoder, progressive.begin(tokens, position),
                               made.supertokens, removed, after=(0, 1, 2, 3))
    left = 64
    for now, gone in zip(after, removed):
        left -= gone
        assert now.x.shape == now.position.shape == (2, left, 24)
        assert (now.size.sum(1) == 64).all()
        for row in range(2):
            for token in range(left):
                mine = now.source[row] == token
                assert mine.sum() == now.size[row, token]
                torch.testing.assert_close(now.position[row, token], position[row, mine].mean(0),
                                           atol=1e-5, rtol=1e-4)
    assert left == 16


@pytest.mark.parametrize('kind', MERGES)
def test_equal_tokens_merge_without_loss_where_attention_is_in_proportion(kind):
    """Merged ones are attended to as if they were apart, however many there are of each."""
    order = torch.arange(64).clamp(max=40) // 4 * 4  # four of each, and 24 of one
    groups, centers = (x[:, order] for x in clouds(1))
    made = student(kind)
    plain = made.backbone(groups, centers)
    for budget in (48, 40):  # fewer than half go: sizes differ
        torch.testing.assert_close(made(groups, centers, budget).tokens, plain,
                                   atol=1e-5, rtol=1e-4)
    made.proportional = False
    assert (made(groups, centers, 40).tokens - plain).abs().max() > 1e-4


def test_a_teachers_tokens_are_merged_without_training():
    torch.manual_seed(0)
    backbone, inputs = Backbone(SMALL).eval(), clouds()
    assert torch.equal(encode(backbone, *inputs, None), backbone(*inputs))
    merged = encode(backbone, *inputs, 16)
    assert merged.shape == (2, 16, 24)
    tome = student('tome')
    tome.backbone.load_state_dict(backbone.state_dict())
    rebuilt = tome(*inputs, 16)
    torch.testing.assert_close(rebuilt.back @ merged, rebuilt.tokens)
    after = levels(backbone, *inputs, 16, [1, 3])
    assert [x.shape for x in after] == [(2, 64, 24)] * 2
    torch.testing.assert_close(backbone.encoder.norm(after[1]), rebuilt.tokens)
    with pytest.raises(configuration.ConfigError, match='leave 4 of 64 tokens and not 2'):
        encode(backbone, *inputs, 2)


@pytest.mark.parametrize('left, published', [
    (16, 115.412), (8, 97.8966), (4, 90.0449), (2, 86.572), (1, 85.0621)])
def test_tome_costs_what_table_5_says_when_its_encoder_is_counted_once(left, published):
    found = described('paper/reduce/distill_tome.yaml', f'student.supertokens={left}')
    row = found['macs'][str(left)]['as_table_5']
    other = described('paper/pretrain.yaml')['macs']['all']
    rest = other['as_table_5'] - (other['encoder'] - 12 * 2 * 64 * 64 * 384)
    assert (2 * row - rest) * 64 / 1e9 == pytest.approx(published, abs=1e-3)
    assert found['parameters']['total'] == 21_838_208


def test_costs_are_corrected_matched_and_add_up():
    rows = {path.stem: described(path.relative_to(CONFIGS))['macs']
            for path in sorted((CONFIGS / 'paper/reduce').glob('distill_*.yaml'))}
    giga = {name: [r['as_table_5'] * 64 / 1e9 for r in row.values()][0]
            for name, row in rows.items()}
    assert round(giga['distill_patch_merger'], 1) == 119.0
    assert round(giga['distill_tome'], 1) == round(giga['distill_pitome'], 1) == 90.0
    foundry = described('paper/distill.yaml')['macs']['16']['as_table_5'] * 64 / 1e9
    assert 0.995 * foundry < giga['distill_tome_matched'] <= foundry < giga['distill_tome']
    spent = (foundry - 64.68) / 64 / (12 * 12 * 384 ** 2) * 1e9
    matched = configuration.load(CONFIGS / 'paper/reduce/distill_tome_matched.yaml')
    assert affordable(64, 12, spent) == matched['student']['supertokens']
    for row in (r for each in rows.values() for r in each.values()):
        parts = [row[p] for p in ('tokenizer', 'position', 'dso', 'encoder', 'cau', 'gate')]
        assert abs(sum(parts) - row['total']) <= len(parts) and row['gate'] == 0
        assert min(parts) >= 0


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('small/reduce/_*.yaml')))
def test_the_students_at_small_size_build_at_all_their_budgets(path):
    for stage in ('distill', 'finetune'):
        config = configuration.load([CONFIGS / f'small/{stage}.yaml', path])
        trained = set(config['beside'])
        if stage == 'finetune':
            trained |= {b for b, odds in config['budgets'].items() if odds}
        assert trained <= set(config['student']['budgets'])
        bare = {k: v for k, v in config.items() if k not in ('heads', 'budgets')}
        assert list(map(int, describe(bare)['macs'])) == sorted(config['student']['budgets'])


def test_at_all_tokens_tome_costs_what_its_teacher_does():
    costs = [describe({k: v for k, v in configuration.load(paths).items() if k != 'heads'})['macs']
             for paths in ([CONFIGS / 'small/finetune.yaml', CONFIGS / 'small/reduce/_tome.yaml'],
                           [CONFIGS / f'small/{n}.yaml' for n in ('teacher', '_plain_teacher')])]
    assert costs[0]['64'] == costs[1]['64']


@pytest.mark.parametrize('path', sorted(
    p.relative_to(CONFIGS).as_posix() for p in CONFIGS.glob('paper/reduce/_*.yaml')))
def test_an_overlay_is_the_student_that_is_distilled(path):
    distilled = configuration.load(CONFIGS / path.replace('/_', '/distill_'))
    for name in ('modelnet40', 'shapenetpart'):
        tuned = configuration.load([CONFIGS / f'paper/{name}.yaml', CONFIGS / path])
        assert tuned['distilled'] == distilled['output'] + '/last.ckpt'
        with torch.device('meta'):
            state = make_student(tuned).state_dict()
            assert state.keys() == make_student(distilled).state_dict().keys()
        assert not any(tuned['reduce'][k] for k in ('random', 'larger', 'tome'))


@pytest.mark.parametrize('options, said', [
    ({'reduce': 'magic'}, "one of tome, .*, not 'magic'"),
    ({'reduce': 'tome', 'after': 2}, 'student.after is no option of tome'),
    ({'reduce': 'tome', 'upsample': 'x'}, "copy or cau, not 'x'"),
    ({'reduce': 'pitome', 'schedule': 'x'}, "halving or even or geometric, not 'x'"),
    ({'reduce': 'kmeans', 'by': 'x'}, "tokens or centers, not 'x'"),
    ({'reduce': 'patch_merger', 'after': 4}, 'after is 4, the encoder has 4 blocks')])
def test_a_student_that_cannot_be_made_is_one_line(options, said):
    config = {'model': vars(SMALL), 'teacher': {'width': 24},
              'student': {'supertokens': 4, **options}}
    with pytest.raises(configuration.ConfigError, match=said):
        make_student(config)
    with pytest.raises(ValueError, match='set student.upsample to cau'):
        make(SMALL, 32, {'supertokens': 4, 'reduce': 'tome'})


@pytest.mark.parametrize('kind', KINDS)
def test_an_export_says_what_the_student_says(kind, tmp_path):
    torch.manual_seed(1)
    model = Recogniser(student(kind, 8), 24, 3, 4).eval()
    export_fixed.write_onnx(model, tmp_path / 'model.onnx', 8)
    groups, centers = (x.numpy() for x in clouds(3, seed=1))
    assert export_fixed.largest_difference(model, tmp_path / 'model.onnx', 8, groups,
                                           centers) < 1e-4
    assert export_fixed.largest_difference(model, tmp_path / 'model.onnx', 8, groups[:1],
                                           np.ascontiguousarray(centers[:1])) < 1e-4
