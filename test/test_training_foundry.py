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

"""The published student and heads: threshold gate, empty supertokens, counts of the paper."""

import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

from training import config as configuration  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.models.foundry import Foundry  # noqa: E402
from training.models.jepa import Predictor  # noqa: E402
from training.models.point_parts import PointParts  # noqa: E402
from training.tasks.describe import describe  # noqa: E402

PAPER = 'training/configs/paper'
SMALL = Size(width=24, depth=2, heads=2, first=(8, 16), second=(16,), drop_path=0.0, dropout=0.0)


def clouds(batch=2, seed=0, alike=False):
    g = torch.Generator().manual_seed(seed)
    size = torch.rand(batch, 64, 1, 3, generator=g) * 0.4  # so that groups differ
    groups = torch.randn(batch, 64, 32, 3, generator=g) * size
    centers = torch.randn(batch, 64, 3, generator=g) * 0.4
    return (groups[:, :1].expand_as(groups), centers) if alike else (groups, centers)


def foundry(**options):
    torch.manual_seed(0)
    return Foundry(SMALL, 24, **options)


def spread_gate(student, inputs):
    """Make the gate's probabilities differ from token to token, around a half."""
    with torch.no_grad():
        logits = student.gate(student.embed(*inputs)[0])
        student.gate[2].weight *= 2 / logits.std()
        student.gate[2].bias.copy_((student.gate[2].bias - logits.mean()) * 2 / logits.std())


def described(name, *overrides):
    return describe(configuration.load(f'{PAPER}/{name}.yaml', overrides))


@pytest.mark.parametrize('name, millions', [
    ('pretrain', 21.84), ('distill', 22.73), ('distill_tiny', 6.33), ('distill_gate', 22.78)])
def test_parameters_equal_table_5(name, millions):
    found = described(name)['parameters']
    assert round(found['total'] / 1e6, 2) == millions
    parts = [v for k, v in found.items() if k not in ('total', 'heads')]
    assert sum(parts) == found['total'] and found['heads'] == 0


@pytest.mark.parametrize('name, overrides, budget, giga', [
    ('distill', [], '16', 88.9903), ('distill', ['student.supertokens=8'], '8', 78.042),
    ('distill', ['student.supertokens=4'], '4', 72.5678),
    ('distill', ['student.supertokens=2'], '2', 69.8307),
    ('distill', ['student.supertokens=1'], '1', 68.4622), ('distill_tiny', [], '16', 71.6618),
    ('distill_gate', [], '16', 89.1921)])
def test_multiply_accumulates_equal_table_5(name, overrides, budget, giga):
    found = described(name, *overrides)['macs'][budget]['as_table_5']
    assert found * 64 / 1e9 == pytest.approx(giga, abs=5e-5)


def test_the_teacher_costs_what_table_5_says_when_its_encoder_is_counted_once():
    found = described('pretrain')['macs']['all']
    assert found['as_table_5'] * 64 / 1e9 == pytest.approx(151.651, abs=1e-3)
    linear = found['encoder'] - 12 * 2 * 64 * 64 * 384  # less the attention products
    assert (found['as_table_5'] + linear) * 64 / 1e9 == pytest.approx(238.624, abs=1e-3)


def test_parts_of_the_count_add_up_and_grow_with_the_budget():
    rows = described('distill_gate')['macs']
    totals = []
    for row in rows.values():
        parts = ('tokenizer', 'position', 'dso', 'encoder', 'cau', 'gate')
        assert abs(sum(row[p] for p in parts) - row['total']) <= len(parts)
        totals.append(row['total'])
    assert list(rows) == ['16', '32', '48', '64'] and totals == sorted(totals)
    assert all(row['dso'] > 0 and row['cau'] > 0 and row['gate'] > 0
               for budget, row in rows.items() if budget != '64')


def test_published_heads_have_the_published_sizes():
    assert sum(p.numel() for p in PointParts(384, 16, 50).parameters()) == 1_066_802
    predictor = Predictor(384, 192, 6, 6, 0.25, 0.1, 0.05)
    # 2,843,456 as published, of which the reference never uses one norm (384)
    assert sum(p.numel() for p in predictor.parameters()) == 2_843_456 - 384
    assert described('shapenetpart')['parameters']['heads'] == 1_066_802


@pytest.mark.parametrize('kept', [0, 1, 20, 64])
def test_threshold_and_rank_agree_on_the_same_tokens(kept):
    student = foundry().eval()
    inputs = clouds(1)
    spread_gate(student, inputs)
    probability = student(*inputs, 64).fusable[0].sort().values
    edges = torch.cat([probability[:1] - 1, probability, probability[-1:] + 1])
    student.ratio = float((edges[kept] + edges[kept + 1]) / 2)
    budget = kept + 16 if kept < 64 else 64
    found = student(*inputs, None).tokens
    torch.testing.assert_close(found, student(*inputs, budget).tokens, atol=1e-5, rtol=1e-4)
    other = student(*inputs, 16 if kept else 64).tokens
    assert (found - other).abs().max() > 1e-4


def test_without_a_gate_every_token_is_fused():
    student = foundry(gate=False).eval()
    rebuilt = student(*clouds(), None)
    assert rebuilt.back.shape == (2, 64, 16)
    assert not [name for name, _ in student.named_parameters() if name.startswith('gate')]


def test_the_gate_learns_from_what_is_rebuilt_unless_it_is_as_printed():
    for content in (True, False):
        student = foundry(content=content)
        spread_gate(student, clouds())
        rebuilt = student(*clouds(), None)
        rebuilt.tokens.square().mean().backward()
        moved = [p.grad is not None and bool(p.grad.abs().sum() > 0)
                 for p in student.gate.parameters()]
        assert all(moved) if content else not any(moved)
        assert student.backbone.tokenizer.inner.weight.grad.abs().sum() > 0


def test_the_price_of_keeping_moves_the_gate_towards_fusing_alone():
    student = foundry(content=False)
    spread_gate(student, clouds())
    before = student(*clouds(), None).fusable.mean()
    optimiser = torch.optim.SGD(student.parameters(), 0.1)
    (-student(*clouds(), None).fusable.sum(1).mean()).backward()
    moved = {name for name, p in student.named_parameters()
             if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved and all(name.startswith('gate') for name in moved)
    optimiser.step()
    assert student(*clouds(), None).fusable.mean() > before


@pytest.mark.parametrize('precision', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('budget', [None, 1, 16, 17, 32, 64])
def test_empty_supertokens_give_no_nan_in_training(precision, budget):
    student = foundry()
    with torch.autocast('cpu', torch.bfloat16, enabled=precision == torch.bfloat16):
        rebuilt = student(*clouds(alike=True), budget)  # all tokens alike: few are not empty
        loss = rebuilt.tokens.float().square().mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in student.parameters() if p.grad is not None)


def test_supertokens_that_are_far_from_all_tokens_learn_without_nan():
    student = foundry(gate=False)
    with torch.no_grad():
        student.supertokens.supertokens[1:] *= 1e4
    student(*clouds(alike=True), None).tokens.sum().backward()
    assert torch.isfinite(student.supertokens.supertokens.grad).all()


def test_a_student_of_another_width_projects_tokens_and_positions():
    size = Size(width=16, depth=1, heads=2, first=(8, 16), second=(16, 24), tokens=24)
    backbone = Backbone(size)
    tokens, position = backbone.embed(*clouds())
    assert tokens.shape == position.shape == (2, 64, 16)
    assert backbone.position[2].out_features == 24
    with pytest.raises(ValueError, match='tokens of 20'):
        Backbone(Size(width=16, depth=1, heads=2, first=(8, 16), second=(16, 24), tokens=20))


def test_point_parts_depend_on_the_point_and_on_the_category():
    torch.manual_seed(0)
    head = PointParts(24, 3, 5).eval()
    tokens, points = torch.randn(2, 64, 24), torch.rand(2, 100, 3)
    centers, category = points[:, :64], torch.tensor([0, 1])
    logits = head(tokens, centers, points, category)
    assert logits.shape == (2, 100, 5)
    order = torch.randperm(100)
    torch.testing.assert_close(head(tokens, centers, points[:, order], category),
                               logits[:, order], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(head(tokens, centers, points, category + 1), logits)
