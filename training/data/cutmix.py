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

"""Clouds of which a piece is another cloud's: PointCutMix (Zhang et al. 2021), of groups."""

from typing import Tuple

import torch

from training.models.grouping import farthest_points, take


def cutmix(groups: torch.Tensor, centers: torch.Tensor, other: torch.Tensor, pivot: torch.Tensor,
           count: int) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    Put groups of another cloud in the place of the ``count`` around one group of each cloud.

    They are those that are nearest to the same place in the other cloud, so a mixed cloud stays
    in the unit sphere as both are. Its groups are in the order of farthest point sampling again.

    :param groups: (B, c, k, 3). :param centers: (B, c, 3).
    :param other: (B,) which cloud each gets them from. :param pivot: (B,) a group of each.
    :return: groups and centers, anew.
    """
    rows = torch.arange(len(centers), device=centers.device)
    place = centers[rows, pivot][:, None]
    gone = (centers - place).square().sum(-1).argsort(1)[:, :count]
    come = (centers[other] - place).square().sum(-1).argsort(1)[:, :count]
    mixed, moved = groups.clone(), centers.clone()
    mixed[rows[:, None], gone] = groups[other[:, None], come]
    moved[rows[:, None], gone] = centers[other[:, None], come]
    order = farthest_points(moved, moved.shape[1], torch.zeros_like(pivot))
    return take(mixed, order), take(moved, order)
