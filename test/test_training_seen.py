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

"""Clouds of which a network sees the first groups alone, as many as the odds of a step say."""

from collections import Counter

import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

from training.tasks.finetune import Finetune  # noqa: E402

B, C, K = 4, 64, 2


class Looking(Finetune):
    """What takes groups from the batches of a fine-tuning, without the network."""

    def __init__(self, seen, step=0):
        torch.nn.Module.__init__(self)
        self.config = {'seed': 3, 'data': {'seen': seen}}
        self.step = step

    @property
    def global_step(self):
        return self.step


def batch():
    return {'groups': torch.randn(B, C, K, 3), 'centers': torch.randn(B, C, 3),
            'labels': torch.arange(B), 'part': torch.zeros(1, 8), 'near': torch.zeros(1, 8, 3),
            'weight': torch.zeros(1, 8, 3)}


def test_the_first_groups_stay_and_parts_of_all_of_them_go():
    before = batch()
    after = Looking({32: 1, 64: 0})._seen(before)
    for key in ('groups', 'centers'):
        assert torch.equal(after[key], before[key][:, :32])
    assert set(after) == {'groups', 'centers', 'labels'}
    assert torch.equal(after['labels'], before['labels'])


def test_with_all_groups_nothing_changes():
    before = batch()
    assert Looking({64: 1})._seen(before) is before


def test_so_many_are_seen_as_often_as_is_said_and_the_same_when_resumed():
    seen, before = {64: 0.5, 48: 0.25, 32: 0.25}, batch()
    counts = [Looking(seen, step)._seen(before)['centers'].shape[1] for step in range(1000)]
    drawn = Counter(counts)
    assert drawn[64] == pytest.approx(500, abs=50)
    assert drawn[48] == pytest.approx(250, abs=50)
    assert drawn[32] == pytest.approx(250, abs=50)
    assert counts[::-1] == [Looking(seen, step)._seen(before)['centers'].shape[1]
                            for step in reversed(range(1000))]


class Asked(Exception):
    """The budget that a step asks for first."""


class Asking(torch.nn.Module):
    """A recogniser whose student only says what it is asked for."""

    student = property(lambda self: self)

    def embed(self, groups, centers):
        return groups, centers

    def rebuild(self, groups, centers, budget):
        raise Asked(budget)


def test_no_more_tokens_are_asked_for_than_groups_are_seen():
    task = Looking({48: 1})
    task.config.update(budgets={64: 1}, beside=[])
    task.config['data']['cutmix'] = 0.0
    task.model = Asking()
    with pytest.raises(Asked, match='^48$'):
        task.training_step(batch(), 0)
