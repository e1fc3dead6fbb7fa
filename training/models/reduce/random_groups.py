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

"""Some of the groups, drawn at random (Foundry, section B.4)."""

from typing import Tuple

import torch

from training.models.grouping import take


def draw(groups: torch.Tensor, centers: torch.Tensor, count: int, generator: torch.Generator
         ) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    Keep ``count`` of the groups (B, c, k, 3) and centers (B, c, 3), others of each cloud.

    :param generator: of the CPU, so that a draw is the same on any device.
    :return: groups (B, count, k, 3) and their centres (B, count, 3).
    """
    chance = torch.rand(centers.shape[:2], generator=generator)
    index = chance.argsort(1)[:, :count].to(groups.device)
    return take(groups, index), take(centers, index)
