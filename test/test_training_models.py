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

"""The models of the training side: sizes of the paper, budgets, supertokens, gradients."""

import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

from training import config  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.models.foundry import Foundry  # noqa: E402
from training.models.jepa import PointJepa, sample_blocks, sequence  # noqa: E402
from training.models.student import MENU, split_budget, Student  # noqa: E402
from training.models.supertokens import DynamicSupertokens  # noqa: E402
from training.models.tokenizer import Tokenizer  # noqa: E402
from training.tasks.distill import make_student  # noqa: E402

SMALL = Size(width=24, depth=2, heads=2, first=(8, 16), second=(16,), drop_path=0.0, dropout=0.0)


def count(module):
    return sum(p.numel() for p in module.parameters())


def clouds(batch=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return (torch.randn(batch, 64, 32, 3, generator=g) * 0.1,
            torch.randn(batch, 64, 3, generator=g) * 0.4)


def small_student(**options):
    torch.manual_seed(0)
    return Student(SMALL, 24, **options)


def test_parameter_counts_equal_table_5_of_the_paper():
    student = Student(Size(), teacher_width=384)
    assert count(Backbone(Size())) == 21_838_208
    assert count(student) - count(student.gate) == 22_729_856
    assert count(student) == 22_779_265


def test_tokenizer_equals_the_layer_on_concatenated_features():
    torch.manual_seed(0)
    tokenizer = Tokenizer((8, 16), (32, 24), 24).eval()
    groups = clouds()[0]
    x = torch.relu(tokenizer.inner_norm(tokenizer.inner(groups.reshape(-1, 3))))
    x = tokenizer.outer(x).view(3 * 64, 32, 16)
    x = torch.cat([x.amax(1, keepdim=True).expand_as(x), x], dim=-1)
    x = torch.relu(tokenizer.mix_norm(tokenizer.mix(x).flatten(0, 1)))
    plain = tokenizer.last(x).view(3, 64, 32, 24).amax(2)
    torch.testing.assert_close(tokenizer(groups), plain, atol=1e-5, rtol=1e-5)


def test_tokens_do_not_depend_on_the_order_of_neighbours():
    tokenizer = Tokenizer((8, 16), (16,), 24).eval()
    groups = clouds()[0]
    torch.testing.assert_close(tokenizer(groups), tokenizer(groups[:, :, torch.randperm(32)]))


def test_sequence_goes_to_the_nearest_centre_not_yet_visited():
    centers = torch.tensor([[[3.0, 0, 0], [0, 0, 0], [1.0, 0, 0], [7.0, 0, 0], [2.5, 0, 0]]])
    assert sequence(centers).tolist() == [[1, 2, 4, 0, 3]]


def test_no_target_is_shown_in_the_context():
    for seed in range(50):
        torch.manual_seed(seed)
        targets, context = sample_blocks(64)
        assert not set(targets.flatten().tolist()) & set(context.tolist())
        assert targets.shape[0] == 4 and 9 <= targets.shape[1] <= 12 and len(context) >= 1
        assert (targets[:, 1:] - targets[:, :-1] == 1).all()


def test_the_slow_teacher_gets_no_gradient_and_follows_the_student():
    torch.manual_seed(0)
    jepa = PointJepa(Backbone(SMALL), {'width': 12, 'depth': 1, 'heads': 2, 'drop_path': 0.0,
                                       'dropout': 0.0})
    loss, *_ = jepa(*clouds())
    loss.backward()
    assert all(p.grad is None for p in jepa.teacher.parameters())
    assert all(p.grad is not None for p in jepa.backbone.parameters())
    weight = jepa.backbone.encoder.blocks[0].up.weight
    with torch.no_grad():
        weight += 1
    before = jepa.teacher.blocks[0].up.weight.clone()
    jepa.update_teacher(0.75)
    torch.testing.assert_close(jepa.teacher.blocks[0].up.weight, before + 0.25)


@pytest.mark.parametrize('budget', MENU)
def test_a_budget_is_met_exactly(budget):
    used, kept = split_budget(budget, 64, 16)
    assert used + kept == budget and used <= 16


@pytest.mark.parametrize('budget', MENU)
def test_the_encoder_sees_the_budget_even_when_the_gate_ties(budget):
    student = small_student().eval()
    torch.nn.init.zeros_(student.gate[-1].weight)  # every token as fusable as any other
    seen = []
    student.backbone.encoder.blocks[0].register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].shape[1]))
    rebuilt = student(*clouds(), budget)
    assert seen == [budget]
    assert rebuilt.back.shape == (3, 64, budget)
    torch.testing.assert_close(rebuilt.back.sum(2), torch.ones(3, 64))


def test_kept_tokens_are_the_least_fusable_and_are_not_fused():
    student = small_student().eval()
    rebuilt = student(*clouds(), 32)
    kept = rebuilt.back[:, :, 16:].sum(2).bool()
    assert (kept.sum(1) == 16).all()
    for fusable, mine in zip(rebuilt.fusable, kept):
        assert fusable[mine].max() <= fusable[~mine].min()
    assert (rebuilt.back[:, :, :16].sum(2)[kept] == 0).all()


def test_no_task_gradient_reaches_the_gate():
    student = small_student()
    student(*clouds(), 32).tokens.sum().backward()
    assert all(p.grad is None for p in student.gate.parameters())
    assert student.supertokens.supertokens.grad.abs().sum() > 0
    assert student.backbone.tokenizer.inner.weight.grad.abs().sum() > 0


def test_a_supertoken_without_tokens_keeps_its_learned_value_and_is_not_nan():
    torch.manual_seed(0)
    dso = DynamicSupertokens(24, 16).eval()
    tokens = torch.randn(2, 1, 24).expand(2, 64, 24)  # all alike: all go to one supertoken
    supertokens, back, filled = dso(tokens, None, 16)
    assert filled.sum(1).tolist() == [1, 1]
    assert torch.isfinite(supertokens).all()
    empty = ~filled[0]
    torch.testing.assert_close(supertokens[0][empty], dso.supertokens[empty])


def test_an_empty_supertoken_does_not_change_what_the_encoder_says():
    student = small_student().eval()
    groups, centers = clouds(1)
    groups, centers = groups[:, :1].expand(1, 64, 32, 3), centers[:, :1].expand(1, 64, 3)
    tokens = student.backbone.tokenizer(groups)
    dso = student.supertokens
    with torch.no_grad():  # the first supertoken is like the tokens, all others are unlike
        wish = torch.linalg.solve(dso.query.weight, dso.key(tokens)[0, 0])
        dso.supertokens[0] = wish
        dso.supertokens[1:] = -wish
    filled = dso(tokens, None, 16)[2]
    assert filled[0].tolist() == [True] + [False] * 15
    torch.testing.assert_close(student(groups, centers, 1).tokens,
                               student(groups, centers, 16).tokens, atol=1e-5, rtol=1e-4)


def test_hard_supertokens_are_the_means_of_their_tokens():
    torch.manual_seed(0)
    dso = DynamicSupertokens(24, 4).eval()
    with torch.no_grad():
        dso.supertokens.normal_()
    tokens = torch.randn(1, 64, 24)
    supertokens, back, filled = dso(tokens, None, 4)
    values = dso.value(tokens)[0]
    for i in torch.nonzero(filled[0]).flatten():
        mean = dso.out(values[back[0, :, i] == 1].mean(0))
        torch.testing.assert_close(supertokens[0, i], mean, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('start, agree', [('similar', True), ('random', False)])
def test_similar_tokens_go_together_from_the_first_step_on(start, agree):
    torch.manual_seed(0)
    dso = DynamicSupertokens(64, 16, start=start).train()
    kinds = torch.randn(8, 64)
    tokens = (kinds[:, None] + 0.1 * torch.randn(8, 8, 64)).reshape(1, 64, 64)
    first, second = (dso(tokens, None, 16)[1][0].argmax(1).view(8, 8) for _ in range(2))
    assert ((first == second).float().mean() > 0.7) == agree  # whatever the Gumbel noise
    assert ((first == first[:, :1]).float().mean() > 0.7) == agree


def test_supertokens_of_similar_tokens_begin_as_their_mean():
    torch.manual_seed(0)
    dso = DynamicSupertokens(24, 4, start='similar').eval()
    tokens = torch.randn(1, 64, 24)
    supertokens, back, filled = dso(tokens, None, 4)
    assert filled.all()
    for i in range(4):
        torch.testing.assert_close(supertokens[0, i], tokens[0][back[0, :, i] == 1].mean(0))


@pytest.mark.parametrize('positions', [False, True])
def test_supertokens_know_where_their_tokens_are_only_if_they_are_told(positions):
    torch.manual_seed(0)
    student = Foundry(SMALL, 24, gate=False, positions=positions).eval()
    groups, centers = clouds(1)
    moved = student(groups, centers + 0.5, 16).tokens
    assert torch.equal(moved, student(groups, centers, 16).tokens) != positions


def test_a_gated_student_has_no_positions_and_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match='without a gate'):
        Foundry(SMALL, 24, gate=True, positions=True)
    with pytest.raises(ValueError, match='random or similar'):
        DynamicSupertokens(8, 2, start='warm')


@pytest.mark.parametrize('name', ['nested.yaml', '_nested.yaml'])
def test_nested_supertokens_begin_similar_and_know_where_their_tokens_are(name):
    student = make_student(config.load([f'training/configs/small/{f}'
                                        for f in ('distill.yaml', name)]))
    assert isinstance(student, Student) and student.positions
    assert student.supertokens.count == 16
    assert torch.equal(student.supertokens.key.weight, torch.eye(128))


def test_the_control_without_an_encoder_does_not_depend_on_the_budget():
    student = small_student(encode=False).eval()
    torch.testing.assert_close(student(*clouds(), 1).tokens, student(*clouds(), 64).tokens)
