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

"""A stream of sharded shapes as one source of a mixture: tokenised as it goes, nothing kept."""

from typing import Dict

from foundry_ros import tokens
import numpy as np
import torch

from training.data import cache, mixture
from training.data.shards import Shards


class Stream:
    """
    Every shape once in a pass, pass after pass, whatever the number of processes and workers.

    Batch i of a run takes shapes i * share to (i + 1) * share of the passes laid end to end; a
    process reads its part of them. So none is seen twice in a pass, none is lost, and a resumed
    run goes on with the next one.

    :param share: clouds of it in a batch. :param seed: of the order.
    :param single_view: share of the clouds that are single views.
    :param turn: ``yaw`` about the vertical, or ``any`` where up is not known.
    :param window: shards that are shuffled together.
    """

    def __init__(self, shards: Shards, share: int, seed: int, single_view: float = 0.5,
                 turn: str = 'any', window: int = 8):
        self.shards, self.share, self.seed = shards, share, seed
        self.single_view, self.turn, self.window = single_view, turn, window
        self._orders: Dict[int, np.ndarray] = {}

    def order(self, number: int) -> np.ndarray:
        """Give the order of pass ``number``, see :meth:`Shards.order`."""
        if number not in self._orders:
            rng = np.random.default_rng([self.seed, number])
            self._orders = {k: v for k, v in self._orders.items() if k == number - 1}
            self._orders[number] = self.shards.order(rng, self.window)
        return self._orders[number]

    def draw(self, step: int) -> np.ndarray:
        """Give the (share,) shapes of batch ``step`` of the run."""
        passes, rows = np.divmod(step * self.share + np.arange(self.share), len(self.shards))
        return np.array([self.order(int(p))[r] for p, r in zip(passes, rows)])

    def clouds(self, rng: np.random.Generator, step: int, mine: slice) -> Dict[str, torch.Tensor]:
        """Tokenise the shapes of a batch that are ``mine``; see :meth:`mixture.Source.clouds`."""
        seeds, turn = rng.integers(2 ** 62, size=self.share), mixture.turns(self.share, rng)
        made = [self._cloud(*pair) for pair in zip(self.draw(step)[mine], seeds[mine])]
        t = tokens.group(np.stack(made))
        return {'groups': torch.from_numpy(t.groups), 'centers': torch.from_numpy(t.centers),
                'turn': turn[mine], 'labels': torch.full((len(made),), -1)}

    def _cloud(self, row, seed):
        rng = np.random.default_rng(seed)
        single = rng.random() < self.single_view
        cloud, _ = cache.one_cloud(self.shards[row], single, rng, None, self.turn)
        return cloud[tokens.resample(cloud, rng)]
