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
Batches of clouds as the papers draw them: every shape once an epoch, augmented anew.

Nothing is cached: points are drawn and grouped again at each visit (Point-JEPA, section 3.8),
which needs a device that finds farthest points quickly. All chance is drawn here, from the seed,
the epoch and the step; what happens on the device is then determined.
"""

from dataclasses import dataclass
from typing import Dict, Sequence, Tuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from training.data.shapes import DataError, Shapes
from training.models import grouping


@dataclass(frozen=True)
class Augment:
    """
    What happens to a batch; one draw for all its clouds, as in the reference.

    :param scale: least and largest factor, drawn for each axis. :param mirror: axes of which each
        is mirrored in half of the batches; here z is up, where the papers have y.
    :param rotate: turn about the vertical by any angle.
    """

    scale: Sequence[float] = (1.0, 1.0)
    mirror: Sequence[str] = ()
    rotate: bool = False

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Give the matrix (3, 3) float32 of one batch."""
        stretch = rng.uniform(*self.scale, 3)
        stretch *= [rng.choice([-1, 1]) if axis in self.mirror else 1 for axis in 'xyz']
        angle = rng.uniform(-np.pi, np.pi) if self.rotate else 0.0
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return (turn * stretch).astype(np.float32)


class Clouds(Dataset):
    """
    The batches of one epoch; batch i of epoch e depends on the seed, e and i alone.

    :param batch: shapes of a batch, over all processes together. :param shuffle: for training:
        shapes in random order, a last batch that is not full left out.
    :param draw: points drawn from a shape with replacement (part segmentation); 0: all of them.
    :param part: which of how many processes this is: they share out each batch.
    :raises DataError: too few shapes for a batch, or a batch that does not divide.
    """

    def __init__(self, shapes: Shapes, batch: int, epoch: int, seed: int, augment: Augment,
                 shuffle: bool = True, draw: int = 0, part: Tuple[int, int] = (0, 1)):
        if shuffle and len(shapes.labels) < batch:
            raise DataError(f'{len(shapes.labels)} shapes do not fill a batch of {batch}')
        if batch % part[1]:
            raise DataError(f'a batch of {batch} does not divide among {part[1]} processes; '
                            'change data.batch or trainer.devices')
        self.shapes, self.batch, self.augment, self.draw = shapes, batch, augment, draw
        self.key, self.part = (seed, epoch), part
        count = len(shapes.labels)
        rng, mixed = np.random.default_rng(self.key), getattr(shapes.points, 'order', None)
        order = range(count) if not shuffle else mixed(rng) if mixed else rng.permutation(count)
        self.order = np.asarray(order)  # of shards: some of them at a time
        self.steps = count // batch if shuffle else -(-count // batch)

    def __len__(self):
        return self.steps

    def __getitem__(self, step: int) -> Dict[str, torch.Tensor]:
        """
        Give cloud (B, n, 3), labels (B,), turn (3, 3) and chance (B, 2) of starting points.

        Where the set has parts: part (B, n), too.
        """
        rng = np.random.default_rng([*self.key, step])
        turn, (rank, world) = self.augment.draw(rng), self.part
        rows = self.order[step * self.batch:(step + 1) * self.batch]
        chance = rng.random((len(rows), 2))[rank::world]
        picks = rng.integers(2 ** 31, size=len(rows))[rank::world]
        rows = rows[rank::world]
        made = [self._cloud(row, seed) for row, seed in zip(rows, picks)]
        batch = {'cloud': torch.from_numpy(np.stack([m[0] for m in made])),
                 'labels': torch.from_numpy(np.asarray(self.shapes.labels[rows])),
                 'turn': torch.from_numpy(turn), 'chance': torch.from_numpy(chance)}
        if self.shapes.parts is not None:
            batch['part'] = torch.from_numpy(np.stack([m[1] for m in made]).astype(np.int64))
        return batch

    def _cloud(self, row, seed):
        """Give the points of a shape and their parts."""
        points = np.asarray(self.shapes.points[row], np.float32)
        parts = None if self.shapes.parts is None else np.asarray(self.shapes.parts[row])
        if not self.draw:
            return points, parts
        index = np.random.default_rng(seed).integers(len(points), size=self.draw)
        return points[index], None if parts is None else parts[index]


def loader(clouds: Clouds, workers: int = 0) -> DataLoader:
    """Give the loader of an epoch; batches come whole, so none is collated."""
    return DataLoader(clouds, batch_size=None, num_workers=workers)


def grouped(batch: Dict[str, torch.Tensor], points: int, groups: int, neighbours: int
            ) -> Dict[str, torch.Tensor]:
    """
    Bring a batch of clouds to the network's input, on its device.

    Larger clouds are thinned to ``points`` by farthest points from a random one, stretched and
    turned, centred, scaled to the unit sphere and grouped (Point-JEPA, section 3.8).

    :return: the batch with groups (B, c, k, 3), centers (B, c, 3) and points (B, n, 3).
    """
    cloud, part = batch['cloud'], batch.get('part')
    start = (batch['chance'] * torch.tensor([cloud.shape[1], min(cloud.shape[1], points)],
                                            device=cloud.device)).long()
    if cloud.shape[1] > points:
        index = grouping.farthest_points(cloud, points, start[:, 0])
        cloud = grouping.take(cloud, index)
        part = None if part is None else grouping.take(part, index)
    cloud = grouping.normalise(cloud @ batch['turn'].T)
    made = dict(batch, points=cloud)
    if part is not None:
        made['part'] = part
    made['groups'], made['centers'] = grouping.group(cloud, groups, neighbours, start[:, 1])
    return made
