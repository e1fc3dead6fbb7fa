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

"""K-means over the tokens of a cloud, or over all tokens of a set (Lloyd, 1982)."""

from typing import Tuple

import torch

from training.models.grouping import farthest_points, take
from training.models.reduce.assignment import merge, nearest


def spread(x: torch.Tensor, count: int) -> torch.Tensor:
    """Give (B, count, d) of x (B, n, d) to begin with: farthest points from the first one on."""
    start = torch.zeros(x.shape[0], dtype=torch.long, device=x.device)
    return take(x, farthest_points(x, count, start))


def drawn(x: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """Give (B, count, d) of x (B, n, d) to begin with, drawn by a seed, the same in each row."""
    index = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(seed))[:count]
    return x[:, index.to(x.device)]


@torch.no_grad()
def cluster(x: torch.Tensor, begin: torch.Tensor, iterations: int = 10
            ) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    Cluster x (B, n, d) in a fixed number of iterations; no gradient passes.

    :param begin: (B, m, d), of :func:`spread` or :func:`drawn`.
    :return: columns (B, n) int64 and centers (B, m, d); a center that loses all its members
        stays where it was.
    """
    x = x.detach().float()
    centers = begin.detach().float()
    for _ in range(iterations):
        mean, size = merge(nearest(x, centers), centers.shape[1], x)
        centers = torch.where((size > 0)[..., None], mean, centers)
    return nearest(x, centers), centers
