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
Batches drawn from several token sets in fixed shares, the same ones whenever asked again.

A batch is drawn whole, whatever number of processes train: each takes its part of every share.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Dict, List, Optional, Tuple

import numpy as np
import torch
from torch import distributed
from torch.utils.data import DataLoader, Dataset

from training.data.cache import TokenSet
from training.data.shapes import DataError


@dataclass(frozen=True)
class Source:
    """
    A token set and how much of each batch comes from it.

    :param share: clouds of it in a batch.
    :param labels: (its classes,) -> label in training; -1 unlabelled, -2 none of the classes.
    :param parts: true where its parts are trained.
    :param rows: the clouds that may be drawn, None for all.
    :param balance: 0 draws every cloud equally often, 1 every class; between them, a class of n
        clouds is drawn in proportion to n ** (1 - balance).
    """

    tokens: TokenSet
    share: int
    labels: Optional[np.ndarray] = None
    parts: bool = False
    rows: Optional[np.ndarray] = None
    balance: float = 0.0

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw (share,) clouds, in ascending order."""
        rows = np.arange(len(self.tokens)) if self.rows is None else self.rows
        if self.balance == 0:
            return np.sort(rng.choice(rows, self.share, replace=len(rows) < self.share))
        return np.sort(rows[np.searchsorted(self._cumulated, rng.random(self.share))])

    @cached_property
    def _cumulated(self):
        labels = np.asarray(self.tokens.labels)
        labels = labels if self.rows is None else labels[self.rows]
        odds = np.cumsum(np.bincount(labels)[labels] ** -self.balance)
        return odds / odds[-1]

    def clouds(self, rng: np.random.Generator, step: int, mine: slice) -> Dict[str, torch.Tensor]:
        """
        Draw the clouds of a batch and give those of one process.

        :param step: number of the batch in the whole run (a stream goes by it, this does not).
        :param mine: which of the ``share`` clouds are wanted; none of the others is read.
        """
        t, index = self.tokens, self.draw(rng)[mine]
        labels = t.labels[index]
        labels = np.full(len(index), -1) if self.labels is None else self.labels[labels]
        row = {'groups': torch.from_numpy(np.asarray(t.groups[index])),
               'centers': torch.from_numpy(np.asarray(t.centers[index])),
               'turn': turns(self.share, rng)[mine], 'labels': torch.from_numpy(labels)}
        if self.parts:
            row['part'] = torch.from_numpy(t.part[index].astype(np.int64))
            row['near'] = torch.from_numpy(t.near[index].astype(np.int64))
            row['weight'] = torch.from_numpy(t.weight[index].astype(np.float32))
        return row


class Mixture(Dataset):
    """
    The batches of one epoch; batch i of epoch e depends on the seed, e and i alone.

    :param part: which of how many processes this is; it gets every n-th cloud of a batch, some of
        every source.
    :raises DataError: a batch does not divide among the processes.
    """

    def __init__(self, sources: List[Source], steps: int, epoch: int, seed: int,
                 part: Tuple[int, int] = (0, 1)):
        self.sources, self.steps, self.part = [s for s in sources if s.share], steps, part
        self.key = (seed, epoch)
        shares, processes = [s.share for s in self.sources], part[1]
        if sum(shares) % processes or min(shares, default=0) < processes > 1:
            raise DataError(f'a batch of {" + ".join(map(str, shares))} clouds does not divide '
                            f'among {processes} processes; change data.mix or trainer.devices')

    def __len__(self):
        return self.steps

    def __getitem__(self, step: int) -> Dict[str, torch.Tensor]:
        """
        Give groups (B, c, k, 3), centers, labels; part, near, weight of the last clouds.

        Clouds are as they are kept, beside the ``turn`` (B, 3, 3) that :func:`turned` gives them
        on the device that trains.
        """
        rng = np.random.default_rng([*self.key, step])
        (rank, processes), before, rows = self.part, 0, []
        for source in self.sources:
            mine = slice((rank - before) % processes, None, processes)
            rows.append(source.clouds(rng, self.key[1] * self.steps + step, mine))
            before += source.share
        batch = {k: torch.cat([r[k] for r in rows])
                 for k in ('groups', 'centers', 'turn', 'labels')}
        for row in rows:
            batch.update({k: row[k] for k in ('part', 'near', 'weight') if k in row})
        return batch


def turns(batch: int, rng: np.random.Generator, scale: float = 1.25) -> torch.Tensor:
    """Draw (batch, 3, 3) maps: about the vertical, half of them mirrored, scaled by axis."""
    angle = rng.uniform(0, 2 * np.pi, batch)
    matrix = np.zeros((batch, 3, 3), np.float32)
    matrix[:, 0, 0] = matrix[:, 1, 1] = np.cos(angle)
    matrix[:, 0, 1], matrix[:, 1, 0] = -np.sin(angle), np.sin(angle)
    matrix[:, 2, 2] = 1
    stretch = np.exp(rng.uniform(-np.log(scale), np.log(scale), (batch, 1, 3)))
    stretch[:, 0, 0] *= rng.choice([-1, 1], batch)
    return torch.from_numpy((matrix * stretch).astype(np.float32))


def turned(batch: Dict[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """Give a batch whose clouds are turned as it says, in float32."""
    left = {k: v for k, v in batch.items() if k != 'turn'}
    groups, centers = augment(batch['groups'].float(), batch['centers'], batch['turn'])
    return {**left, 'groups': groups, 'centers': centers}


def augment(groups: torch.Tensor, centers: torch.Tensor, matrix: torch.Tensor):
    """
    Map each cloud by its own matrix, then back to the unit sphere.

    :param groups: (B, c, k, 3). :param centers: (B, c, 3). :param matrix: (B, 3, 3).
    :return: groups and centers, anew.
    """
    turned = centers @ matrix.transpose(1, 2)
    size = (turned.norm(dim=-1).amax(1) / centers.norm(dim=-1).amax(1).clamp(min=1e-6))
    matrix = matrix / size[:, None, None].clamp(min=1e-6)
    flat = groups.flatten(1, 2) @ matrix.transpose(1, 2)
    return flat.view_as(groups), centers @ matrix.transpose(1, 2)


def loader(sources: List[Source], steps: int, epoch: int, seed: int, workers: int = 0):
    """Give the loader of an epoch; a batch is made whole by the mixture, so none is collated."""
    part = (0, 1)
    if distributed.is_available() and distributed.is_initialized():
        part = distributed.get_rank(), distributed.get_world_size()
    mixture = Mixture(sources, steps, epoch, seed, part)
    return DataLoader(mixture, batch_size=None, num_workers=workers)
