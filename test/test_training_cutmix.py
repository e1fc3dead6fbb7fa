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

"""Clouds with a piece of another: what stays, what comes, in which order, and their names."""

import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

from training.data.cutmix import cutmix  # noqa: E402
from training.models.grouping import farthest_points  # noqa: E402
from training.tasks.finetune import Finetune  # noqa: E402

B, C, K = 5, 16, 4


def clouds(seed=0):
    """Make clouds whose groups can be told apart: each holds its own number."""
    g = torch.Generator().manual_seed(seed)
    groups = torch.arange(B * C, dtype=torch.float32).view(B, C, 1, 1).expand(B, C, K, 3)
    return groups, torch.randn(B, C, 3, generator=g)


def numbers(groups):
    return groups[..., 0, 0].long()


@pytest.mark.parametrize('count', [1, 5, 8])
def test_so_many_groups_are_the_others(count):
    groups, centers = clouds()
    other, pivot = torch.tensor([1, 2, 3, 4, 0]), torch.tensor([0, 3, 9, 15, 2])
    mixed, moved = cutmix(groups, centers, other, pivot, count)
    owner = numbers(mixed) // C
    rows = torch.arange(B)[:, None]
    assert ((owner == other[:, None]).sum(1) == count).all()
    assert ((owner == rows).sum(1) == C - count).all()
    # A group and its centre stay together, and what comes is what is nearest to what went.
    assert torch.equal(moved, centers.flatten(0, 1)[numbers(mixed)])
    for b in range(B):
        place = centers[b, pivot[b]]
        gone = sorted(set(range(C)) - set((numbers(mixed[b])[owner[b] == b] - b * C).tolist()))
        nearest = (centers[b] - place).norm(dim=1).argsort()[:count]
        assert gone == sorted(nearest.tolist())
        came = numbers(mixed[b])[owner[b] != b] - other[b] * C
        nearest = (centers[other[b]] - place).norm(dim=1).argsort()[:count]
        assert sorted(came.tolist()) == sorted(nearest.tolist())


def test_the_first_groups_are_spread_over_the_mixed_cloud():
    groups, centers = clouds(1)
    _, moved = cutmix(groups, centers, torch.tensor([1, 2, 3, 4, 0]), torch.zeros(B).long(), 8)
    order = farthest_points(moved, C, torch.zeros(B, dtype=torch.long))
    assert torch.equal(order, torch.arange(C).expand(B, -1))


class Mixing(Finetune):
    """What mixes the batches of a fine-tuning, without the network."""

    def __init__(self, cutmix):
        torch.nn.Module.__init__(self)
        self.config = {'seed': 3, 'data': {'cutmix': cutmix}}

    global_step = 4


def batch():
    groups, centers = clouds()
    return {'groups': groups, 'centers': centers, 'labels': torch.tensor([7, 8, -2, 9, 6]),
            'part': torch.zeros(1, 3)}


def test_only_named_clouds_without_parts_are_mixed():
    torch.manual_seed(1)
    before = batch()
    after, share = Mixing(1.0)._mixed(batch())
    assert 0 < share <= 0.5
    assert after['mixed_in'][2] == -2 and after['mixed_in'][4] == 6
    assert sorted(after['mixed_in'][[0, 1, 3]].tolist()) == [7, 8, 9]
    for kept in (2, 4):
        assert torch.equal(after['groups'][kept], before['groups'][kept])
        assert torch.equal(after['centers'][kept], before['centers'][kept])
    label = {0: 7, 1: 8, 3: 9}
    for row, own in label.items():
        owners = (numbers(after['groups'][row]) // C).tolist()
        other = after['mixed_in'][row]
        expected = C if other == own else C - share * C
        assert owners.count(row) == expected
        assert {label[o] for o in owners} == {own, int(other)}


def test_unless_asked_to_nothing_is_mixed():
    before = batch()
    after, share = Mixing(0.0)._mixed(before)
    assert after is before and share == 0
