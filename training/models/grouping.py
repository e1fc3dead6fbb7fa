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

"""Clouds to groups on the device that trains: the same step as the robot's, in torch."""

from typing import Tuple

import torch


def farthest_points(points: torch.Tensor, count: int, start: torch.Tensor) -> torch.Tensor:
    """
    Spread ``count`` points over each cloud: farthest point sampling.

    :param points: (B, n, 3). :param start: (B,) int64, the index that each begins with.
    :return: (B, count) int64 indices.
    """
    batch = torch.arange(points.shape[0], device=points.device)
    nearest = torch.full(points.shape[:2], torch.inf, device=points.device)
    chosen, last = [start], start
    for _ in range(count - 1):
        step = (points - points[batch, last][:, None]).square().sum(-1)
        nearest = torch.minimum(nearest, step)
        last = nearest.argmax(1)
        chosen.append(last)
    return torch.stack(chosen, dim=1)


def take(points: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Take the rows ``index`` (B, m) of points (B, n, ...) cloud by cloud."""
    return points[torch.arange(points.shape[0], device=points.device)[:, None], index]


def group(points: torch.Tensor, groups: int, neighbours: int, start: torch.Tensor
          ) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    Group clouds around their farthest points (Point-JEPA, section 3.2).

    :param points: (B, n, 3), n >= neighbours. :param start: (B,) int64.
    :return: groups (B, c, k, 3) relative to their centre, and centers (B, c, 3).
    """
    centers = take(points, farthest_points(points, groups, start))
    index = torch.cdist(centers, points).topk(neighbours, dim=2, largest=False).indices
    around = take(points, index.flatten(1)).unflatten(1, index.shape[1:])
    return around - centers[:, :, None], centers


def normalise(points: torch.Tensor) -> torch.Tensor:
    """Put the centroid of clouds (B, n, 3) at the origin and scale them to the unit sphere."""
    points = points - points.mean(1, keepdim=True)
    return points / points.norm(dim=2).amax(1)[:, None, None].clamp(min=1e-9)
