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

"""Features of all centres from those of a few, by 3-NN interpolation (PointNet++, section 3.4)."""

import torch

from training.models.point_parts import near_centers
from training.models.reduce.assignment import one_hot


def interpolation(centers: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """
    Give weights (B, n, m) that carry features of chosen centres (B, m, 3) to centres (B, n, 3).

    From the three nearest, inverse to the squared distance; rows sum to 1, and at a chosen
    centre it is that one's own.
    """
    index, weight = near_centers(centers, chosen)
    count = chosen.shape[1]
    return sum(one_hot(index[..., k], count, weight.dtype) * weight[..., k, None]
               for k in range(index.shape[2]))
