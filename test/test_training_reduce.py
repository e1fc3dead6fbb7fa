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

"""Operators that reduce tokens: mass, sources, budgets, order, gradients, batches, exports."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

import onnxruntime  # noqa: E402, I100

from training.export import OPSET  # noqa: E402
from training.models.grouping import take  # noqa: E402
from training.models.reduce import fps_select, kmeans, pitome, tome  # noqa: E402
from training.models.reduce.assignment import merge, one_hot, rank, unmerge  # noqa: E402
from training.models.reduce.patch_merger import PatchMerger, weights  # noqa: E402

# Each gives columns (B, n) of descriptors (B, n, d) and how many tokens go.
MATCHES = {'tome': tome.match, 'pitome': lambda x, r: pitome.match(x, r, 0.5),
           'pitome, ranked': lambda x, r: pitome.match_ranked(x, r, 0.5),
           'pitome, first block': lambda x, r: pitome.match_at(x, r, 0.0),
           'pitome, last block': lambda x, r: pitome.match_at(x, r, 0.9)}
CLUSTERS = {'k-means': lambda x, r: kmeans.cluster(x, kmeans.spread(x, x.shape[1] - r))[0],
            'farthest points': lambda x, r: fps_select.members(
                x, take(x, fps_select.select(x, x.shape[1] - r)))}
EVERY = {**MATCHES, **CLUSTERS}


@pytest.fixture(params=EVERY)
def columns(request):
    return EVERY[request.param]


def features(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sets_of(column):
    """Give the sets of tokens that share a column, whatever its number."""
    return {frozenset((column == c).nonzero().flatten().tolist()) for c in column.unique()}


@pytest.mark.parametrize('count, remove', [(64, 32), (64, 16), (21, 10), (21, 3), (2, 1), (9, 0)])
def test_the_budget_is_met_and_mass_is_preserved(columns, count, remove):
    x, size = features(3, count, 8), torch.randint(1, 5, (3, count)).float()
    column = columns(x, remove)
    assert column.shape == (3, count) and column.dtype == torch.long
    assert all(len(row.unique()) == count - remove for row in column)  # nobody is left out
    assert column.min() == 0 and column.max() == count - remove - 1
    merged, total = merge(column, count - remove, x, size)
    torch.testing.assert_close(total.sum(1), size.sum(1))
    torch.testing.assert_close((merged * total[..., None]).sum(1), (x * size[..., None]).sum(1),
                               atol=1e-4, rtol=1e-4)


def test_sources_survive_several_steps_and_unmerging_restores_the_shape(columns):
    x = features(2, 64, 8)
    source, now, size = torch.arange(64).expand(2, -1), x, torch.ones(2, 64)
    for remove in (32, 16, 3):
        column = columns(now, remove)
        now, size = merge(column, now.shape[1] - remove, now, size)
        source = column.gather(1, source)
    for row in range(2):
        for token in range(now.shape[1]):
            mine = source[row] == token
            torch.testing.assert_close(now[row, token], x[row, mine].mean(0),
                                       atol=1e-5, rtol=1e-4)
            assert size[row, token] == mine.sum()
    assert unmerge(source, now).shape == x.shape


def test_positions_merge_with_features_and_constants_come_back_exactly(columns):
    x, place = features(2, 64, 8), features(2, 64, 3, seed=1)
    column = columns(x, 24)
    both, _ = merge(column, 40, torch.cat([x, place], dim=2))
    torch.testing.assert_close(both[..., 8:], merge(column, 40, place)[0])
    constant = torch.full((2, 64, 5), 0.75)
    assert torch.equal(unmerge(column, merge(column, 40, constant)[0]), constant)
    alone = (one_hot(column, 40).sum(1).gather(1, column) == 1)
    assert alone.any()
    assert torch.equal(unmerge(column, both[..., 8:])[alone], place[alone])


@pytest.mark.parametrize('name', ['pitome', 'pitome, ranked', 'pitome, last block'])
def test_pitome_does_not_depend_on_the_order_of_tokens(name):
    x, order = features(2, 33, 8), torch.randperm(33)
    assert torch.equal(EVERY[name](x[:, order], 12), EVERY[name](x, 12)[:, order])


def test_tome_depends_on_which_tokens_are_at_even_places_and_not_on_their_order_there():
    x = features(1, 32, 8)
    order = torch.arange(32)
    order[::2] = order[::2][torch.randperm(16)]
    column = tome.match(x, 10)
    assert torch.equal(tome.match(x[:, order], 10), column[:, order])
    order[1::2] = order[1::2][torch.randperm(16)]
    moved = torch.empty(32, dtype=torch.long)
    moved[order] = tome.match(x[:, order], 10)[0]
    assert sets_of(moved) == sets_of(column[0])
    swapped = torch.arange(32).view(16, 2).flip(1).flatten()
    moved[swapped] = tome.match(x[:, swapped], 10)[0]
    assert sets_of(moved) != sets_of(column[0])


def test_tome_merges_the_most_similar_pairs_of_even_and_odd_places():
    x = features(1, 20, 8)
    column, unit = tome.match(x, 4)[0], torch.nn.functional.normalize(x[0], dim=-1)
    similar = unit[::2] @ unit[1::2].T
    best = similar.amax(1)
    gone = [i for i in range(10) if (column == column[2 * i]).sum() > 1]
    assert set(gone) == set(best.topk(4).indices.tolist())
    for i in gone:
        assert column[2 * i] == column[1 + 2 * similar[i].argmax()]
    stayed = column[::2][[i for i in range(10) if i not in gone]]
    assert sorted(stayed.tolist()) == list(range(6))  # what stays of A comes first
    assert column[1::2].tolist() == list(range(6, 16))


def test_more_than_half_cannot_merge_in_one_step():
    for name in MATCHES:
        with pytest.raises(ValueError, match='11 of 20 tokens .* at most half'):
            MATCHES[name](features(1, 20, 4), 11)


def test_pitome_merges_the_crowd_and_protects_who_stands_alone():
    crowd = torch.tensor([1.0, 0, 0, 0]) + 0.01 * features(1, 8, 4)
    alone = torch.eye(4)[None, 1:]
    x = torch.cat([alone, crowd], dim=1)
    unit = torch.nn.functional.normalize(x, dim=-1)
    energy = pitome.energy(unit, 0.5)
    assert energy[0, :3].max() < energy[0, 3:].min()
    by_hand = torch.nn.functional.elu(unit[0] @ unit[0, 4] - 0.5).mean()
    torch.testing.assert_close(energy[0, 4], by_hand)
    column = pitome.match(x, 4, 0.5)[0]
    assert sorted(column[:3].tolist()) == [0, 1, 2]
    assert sets_of(column) >= {frozenset([i]) for i in range(3)}
    assert all(len(s) >= 2 for s in sets_of(column[3:]) if len(s) > 1)
    ranked = energy[0, 3:].argsort(descending=True) + 3
    for token in ranked[::2]:  # each of A goes to the most similar of B
        partner = ranked[1::2][(unit[0, ranked[1::2]] @ unit[0, token]).argmax()]
        assert column[token] == column[partner]


def test_the_variants_of_pitome_agree_where_all_tokens_merge():
    x = features(2, 16, 8)
    for row, other in zip(pitome.match(x, 8, 0.3), pitome.match_ranked(x, 8, 0.3)):
        assert sets_of(row) == sets_of(other)


def test_a_batch_is_its_clouds(columns):
    x = features(4, 40, 8)
    whole = columns(x, 15)
    for row in range(4):
        assert torch.equal(whole[row:row + 1], columns(x[row:row + 1], 15))


def test_gradients_pass_through_what_is_merged_and_not_through_the_match(columns):
    x, by = features(2, 20, 8).requires_grad_(), features(2, 20, 8, seed=1).requires_grad_()
    column = columns(by, 8)
    unmerge(column, merge(column, 12, x)[0]).square().sum().backward()
    assert (x.grad.abs().sum(2) > 0).all() and by.grad is None


def test_half_precision_does_not_change_who_goes_where(columns):
    x = features(2, 64, 8)
    with torch.autocast('cpu', torch.bfloat16):
        column = columns(x, 20)
        merged, size = merge(column, 44, x)
    assert torch.equal(column, columns(x, 20))
    assert torch.equal(merged, merge(column, 44, x)[0]) and (size.sum(1) == 64).all()


def test_tokens_that_are_all_alike_still_meet_the_budget():
    for match in MATCHES.values():
        column = match(torch.ones(1, 16, 4), 5)
        assert len(column.unique()) == 11


def test_ranks_are_places_with_ties_by_index():
    assert rank(torch.tensor([[3.0, 7.0, 3.0, 9.0]])).tolist() == [[2, 1, 3, 0]]
    x = features(2, 50)
    assert torch.equal(rank(x), x.argsort(1, descending=True).argsort(1))


class OneStep(torch.nn.Module):
    """An operator and the merging by it, as a graph."""

    def __init__(self, columns, remove):
        super().__init__()
        self.columns, self.remove = columns, remove

    def forward(self, x):
        column = self.columns(x, self.remove)
        merged, size = merge(column, x.shape[1] - self.remove, x)
        return column, merged, size, unmerge(column, merged)


@pytest.mark.filterwarnings('ignore')  # the tracer warns of every shape that it fixes
def test_an_export_says_the_same_for_any_batch(columns, tmp_path):
    step, path = OneStep(columns, 10), str(tmp_path / 'step.onnx')
    torch.onnx.export(step, (features(2, 32, 6),), path, opset_version=OPSET, dynamo=False,
                      input_names=['x'], dynamic_axes={'x': {0: 'objects'}})
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    for batch in (1, 5):
        x = features(batch, 32, 6, seed=batch)
        for found, wanted in zip(session.run(None, {'x': x.numpy()}), step(x)):
            np.testing.assert_allclose(found, wanted.numpy(), atol=1e-6)


def merger(count=4):
    torch.manual_seed(0)
    return PatchMerger(8, count)


def test_each_query_takes_its_share_of_all_tokens():
    x, place = features(2, 30, 8), features(2, 30, 8, seed=1)
    module = merger()
    taken = weights(module.queries, module.norm(x))
    torch.testing.assert_close(taken.sum(2), torch.ones(2, 4))
    merged, position, column = module(x, place, 4)
    torch.testing.assert_close(position, taken @ place)
    torch.testing.assert_close(merged, taken @ module.norm(x))
    assert torch.equal(column, taken.argmax(1)) and column.max() < 4
    assert sum(p.numel() for p in PatchMerger(384, 8).parameters()) == 8 * 384 + 2 * 384


def test_queries_do_not_ask_for_the_order_of_tokens_nor_for_other_queries():
    module, order = merger(), torch.randperm(30)
    x, place = features(2, 30, 8), features(2, 30, 8, seed=1)
    merged, position, column = module(x, place, 4)
    again = module(x[:, order], place[:, order], 4)
    torch.testing.assert_close(again[0], merged)
    torch.testing.assert_close(again[1], position)
    assert torch.equal(again[2], column[:, order])
    torch.testing.assert_close(module(x, place, 2)[0], merged[:, :2])
    with pytest.raises(ValueError, match='5 tokens are asked for, 4 queries'):
        module(x, place, 5)


def test_a_query_learns_and_so_do_all_tokens():
    module, x = merger(), features(2, 30, 8).requires_grad_()
    module(x, x, 4)[0].square().sum().backward()
    assert (module.queries.grad.abs().sum(1) > 0).all() and (x.grad.abs().sum(2) > 0).all()
