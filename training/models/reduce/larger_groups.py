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

"""Fewer and larger groups of the same points (Foundry, sections B.2 and B.4)."""

from typing import Tuple

import torch

from training.models.grouping import take
from training.models.reduce.assignment import nearest
from training.models.reduce.fps_select import select


def regroup(groups: torch.Tensor, centers: torch.Tensor, count: int, neighbours: int
            ) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    Make fewer and larger groups of the points that the groups hold.

    Groups overlap: a point is taken from the group of its nearest centre, so that none counts
    twice.

    :param groups: (B, c, k, 3) relative to centers (B, c, 3), which are among the points.
    :param neighbours: of the new groups, at most c·k.
    :return: groups (B, count, neighbours, 3) and their centres (B, count, 3).
    """
    points = (groups + centers[:, :, None]).flatten(1, 2)
    own = torch.arange(centers.shape[1], device=points.device)
    again = nearest(points, centers) != own.repeat_interleave(groups.shape[2])
    chosen = take(centers, select(centers, count))
    distance = (chosen[:, :, None] - points[:, None]).square().sum(-1)
    # What is a point of another group as well comes last, and only where points run out.
    index = (distance + 1e4 * again[:, None]).topk(neighbours, dim=2, largest=False).indices
    around = take(points, index.flatten(1)).unflatten(1, index.shape[1:])
    return around - chosen[:, :, None], chosen
