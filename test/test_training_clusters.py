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

"""K-means, farthest centres and larger groups, and how many tokens each block takes away."""

import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

from training.models.grouping import group, take  # noqa: E402, I100
from training.models.reduce import fps_select, kmeans, schedule  # noqa: E402
from training.models.reduce.interpolation import interpolation  # noqa: E402
from training.models.reduce.larger_groups import regroup  # noqa: E402
from training.models.reduce.assignment import merge, nearest  # noqa: E402


def features(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sets_of(column):
    """Give the sets of tokens that share a column, whatever its number."""
    return {frozenset((column == c).nonzero().flatten().tolist()) for c in column.unique()}


def test_k_means_finds_separate_clusters_in_any_order():
    middle = 10 * features(5, 8)
    x = (middle.repeat(6, 1) + 0.1 * features(30, 8, seed=1))[None]
    column, centers = kmeans.cluster(x, kmeans.spread(x, 5))
    assert sets_of(column[0]) == {frozenset(range(i, 30, 5)) for i in range(5)}
    torch.testing.assert_close(centers, merge(column, 5, x)[0])
    order = torch.randperm(30)
    again, _ = kmeans.cluster(x[:, order], kmeans.spread(x[:, order], 5))
    moved = torch.empty(30, dtype=torch.long)
    moved[order] = again[0]
    assert sets_of(moved) == sets_of(column[0])


def test_k_means_gets_better_with_iterations_and_depends_on_the_seed_alone():
    x = features(1, 200, 4)
    errors = []
    for iterations in (0, 1, 5, 30):
        _, centers = kmeans.cluster(x, kmeans.drawn(x, 8, 3), iterations)
        errors.append(float((x - take(centers, nearest(x, centers))).square().sum()))
    assert errors == sorted(errors, reverse=True) and errors[0] > errors[-1]
    assert torch.equal(kmeans.drawn(x, 8, 3), kmeans.drawn(x, 8, 3))
    assert not torch.equal(kmeans.drawn(x, 8, 3), kmeans.drawn(x, 8, 4))


def test_a_cluster_without_members_stays_where_it_was():
    begin = torch.tensor([[[0.0], [1.0], [99.0]]])
    column, centers = kmeans.cluster(torch.tensor([[[0.1], [0.2], [1.1]]]), begin)
    assert column.tolist() == [[0, 0, 1]] and centers[0, 2] == 99
    merged, size = merge(column, 3, torch.ones(1, 3, 1))
    assert size.tolist() == [[2, 1, 0]] and torch.isfinite(merged).all()


def test_farthest_centres_are_the_first_ones_where_they_are_in_that_order():
    start = torch.zeros(2, dtype=torch.long)
    centers = group(features(2, 300, 3), 32, 4, start)[1]
    assert fps_select.select(centers, 8).tolist() == [list(range(8))] * 2
    order = torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(31)])
    chosen = take(centers[:, order], fps_select.select(centers[:, order], 8))
    torch.testing.assert_close(chosen, centers[:, :8])


def test_interpolation_is_exact_at_what_was_chosen_and_for_constants():
    centers = features(2, 32, 3)
    chosen = centers[:, :8]
    back = interpolation(centers, chosen)
    torch.testing.assert_close(back.sum(2), torch.ones(2, 32))
    assert (back > 0).sum(2).max() <= 3 and (back >= 0).all()
    torch.testing.assert_close(back[:, :8], torch.eye(8).expand(2, -1, -1), atol=1e-4, rtol=0)
    assert interpolation(centers, chosen[:, :1]).unique().tolist() == [1]
    nearest_ones = back.argmax(2)
    assert torch.equal(nearest_ones, fps_select.members(centers, chosen))


def test_larger_groups_are_the_points_around_their_centre_each_once():
    cloud = features(2, 256, 3)
    groups, centers = group(cloud, 32, 16, torch.zeros(2, dtype=torch.long))
    larger, chosen = regroup(groups, centers, 4, 40)
    assert larger.shape == (2, 4, 40, 3) and torch.equal(chosen, centers[:, :4])
    points = larger + chosen[:, :, None]
    for row in range(2):
        known = (points[row].flatten(0, 1)[:, None] - cloud[row]).norm(dim=2).min(1)
        assert known.values.max() < 1e-5
        for each in known.indices.view(4, 40):
            assert len(each.unique()) == 40
    # where all points are in the group of their nearest centre these are the nearest ones
    groups, centers = group(cloud[:, :32], 16, 32, torch.zeros(2, dtype=torch.long))
    larger, chosen = regroup(groups, centers, 2, 20)
    wanted = torch.cdist(chosen, cloud[:, :32]).topk(20, largest=False).values
    torch.testing.assert_close(larger.norm(dim=3).sort().values, wanted, atol=1e-4, rtol=1e-4)


def test_schedules_are_those_of_the_paper():
    assert schedule.halving(64, 16, 12) == [32, 16] + [0] * 10
    assert schedule.halving(64, 1, 12) == [32, 16, 8, 4, 2, 1] + [0] * 6
    assert schedule.even(64, 16, 12) == [4] * 12
    for left in range(1, 65):
        for kind in (schedule.halving, schedule.even, schedule.geometric):
            now = 64
            for gone in kind(64, left, 12):
                assert 0 <= gone <= now // 2
                now -= gone
            assert now == left
    assert max(schedule.even(64, 3, 12)) < max(schedule.halving(64, 3, 12))
    assert schedule.geometric(64, 4, 4) == [32, 16, 8, 4]
    assert schedule.geometric(64, 16, 4) == [18, 14, 9, 7]  # 64, 46, 32, 23, 16
    for kind in (schedule.halving, schedule.even, schedule.geometric):
        with pytest.raises(ValueError, match='2 blocks, .* leave 16 of 64 tokens and not 8'):
            kind(64, 8, 2)


def test_a_cost_is_in_tokens_through_all_blocks():
    assert schedule.cost(64, [0] * 12) == 64
    assert schedule.cost(64, [32, 16]) == pytest.approx((64 + 2 * 32 + 32 + 2 * 16) / 6)
    for most in (10, 16, 18.5, 40):
        left = schedule.affordable(64, 12, most)
        assert schedule.cost(64, schedule.halving(64, left, 12)) <= most
        assert schedule.cost(64, schedule.halving(64, left + 1, 12)) > most
    with pytest.raises(ValueError, match='at a cost of 3'):
        schedule.affordable(64, 12, 3)
