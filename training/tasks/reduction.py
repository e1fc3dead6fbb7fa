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

"""
Fewer tokens at inference alone, without training for it (Foundry, section B.4).

Random sampling keeps some of the groups; larger groups are fewer and hold 2 points / count
neighbours each; ToMe merges tokens in the encoder. All are published for the fine-tuned teacher;
for Foundry-Gate it is the budget or the fusion ratio r that changes, for a student of every budget
the budget.
"""

from dataclasses import dataclass
from typing import Iterator, List, Optional

import numpy as np
import torch

from training.config import ConfigError
from training.data.clouds import grouped, loader
from training.models import grouping
from training.models.backbone import Backbone
from training.models.foundry import Foundry
from training.models.reduce import random_groups
from training.models.regions import RegionStudent


@dataclass(frozen=True)
class Variant:
    """
    A way to spend fewer tokens.

    :param kind: ``as trained``, ``random``, ``larger``, ``tome``, ``budget`` or ``ratio``.
    :param value: groups kept, groups made, tokens left, tokens, or r.
    """

    kind: str = 'as trained'
    value: Optional[float] = None

    @property
    def name(self) -> str:
        """Name the variant, such as ``random 16``."""
        return self.kind if self.value is None else f'{self.kind} {self.value}'


KINDS = {'random': (Backbone,), 'larger': (Backbone,), 'tome': (Backbone,),
         'budget': (Foundry, RegionStudent), 'ratio': (Foundry,)}


def variants(network, config) -> List[Variant]:
    """List what ``reduce`` of a configuration asks for, after the plain network."""
    found = [Variant()]
    for kind, kin in KINDS.items():
        values = config['reduce'].get(kind, [])
        if values and not isinstance(network, kin):
            raise ConfigError(f'reduce.{kind} is for {kin[0].__name__}, not for '
                              f'{type(network).__name__}: set it to []')
        found += [Variant(kind, value) for value in values]
    return found


def budget(network, variant: Variant) -> Optional[int]:
    """Give the budget of a variant; one that changes r sets it, and has none."""
    if variant.kind == 'ratio':
        network.ratio = variant.value
    return variant.value if variant.kind in ('budget', 'tome') else None


def reduce_groups(batch: dict, variant: Variant, generator: torch.Generator) -> dict:
    """Leave out or enlarge the groups of a batch, where the variant does that."""
    count = variant.value
    if variant.kind == 'random':
        left = random_groups.draw(batch['groups'], batch['centers'], count, generator)
        return dict(batch, groups=left[0], centers=left[1])
    if variant.kind == 'larger':
        total = batch['points'].shape[1]
        start = (batch['chance'][:, 1] * total).long()
        groups, centers = grouping.group(batch['points'], count, min(total, 2 * total // count),
                                         start)
        return dict(batch, groups=groups, centers=centers)
    return batch


def batches(task, variant: Variant, seed: int) -> Iterator[dict]:
    """Give the test set of a task, grouped and reduced; the seed is that of all chance."""
    data, generator = task.config['data'], torch.Generator().manual_seed(seed)
    for batch in loader(task.test_clouds(seed), data['workers']):
        batch = {k: v.to(task.device) for k, v in batch.items()}
        made = grouped(batch, data['points'], data['groups'], data['neighbours'])
        yield reduce_groups(made, variant, generator)


def over_runs(values: List[float]) -> dict:
    """Give mean and standard deviation over runs, as the paper's tables do."""
    return {'mean': float(np.mean(values)), 'std': float(np.std(values)), 'runs': len(values)}
