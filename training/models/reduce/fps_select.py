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

"""Fewer groups by farthest point sampling (PointNet++, section 3)."""

import torch

from training.models.grouping import farthest_points
from training.models.reduce.assignment import nearest


def select(centers: torch.Tensor, count: int) -> torch.Tensor:
    """
    Choose ``count`` of the centres (B, n, 3), spread from the first one on: (B, count) int64.

    Centres that are in the order of such a sampling already give their first ``count``.
    """
    start = torch.zeros(centers.shape[0], dtype=torch.long, device=centers.device)
    return farthest_points(centers, count, start)


def members(centers: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Give for centres (B, n, 3) which of the chosen (B, m, 3) is nearest: (B, n) int64."""
    return nearest(centers, chosen)
