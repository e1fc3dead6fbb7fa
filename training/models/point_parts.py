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

"""Part segmentation per point, as Point-JEPA does it (Point-JEPA, section 3.10)."""

from typing import List

import torch
from torch import nn
import torch.nn.functional as F

from training.models.backbone import pool
from training.models.chance import Dropout


def mean_level(levels: List[torch.Tensor]) -> torch.Tensor:
    """Average what left several blocks, each (B, c, d) normalised without affine."""
    return torch.stack([F.layer_norm(x, x.shape[-1:]) for x in levels]).mean(0)


def near_centers(points: torch.Tensor, centers: torch.Tensor):
    """
    Find each point's three nearest centres and their weights, inverse to the squared distance.

    :param points: (B, n, 3). :param centers: (B, c, 3).
    :return: indices and weights, both (B, n, 3); fewer where there are fewer centres.
    """
    distance = (points[:, :, None] - centers[:, None]).square().sum(-1)
    nearest, index = distance.topk(min(3, centers.shape[1]), dim=2, largest=False)
    weight = 1 / (nearest + 1e-8)
    return index, weight / weight.sum(2, keepdim=True)


class PointParts(nn.Module):
    """
    Part logits of every point, from tokens, the category given and the point itself.

    At 2,048 points it costs twice what the tokenizer does, and no token budget touches it; the
    robot's head works on groups instead.

    :param width: of the tokens. :param categories: of the set. :param parts: of the set.
    """

    def __init__(self, width: int, categories: int, parts: int, dropout: float = 0.5):
        super().__init__()
        self.categories = categories
        self.label = nn.Sequential(nn.Linear(categories, 64, bias=False), nn.BatchNorm1d(64),
                                   nn.LeakyReLU(0.2))
        self.carry = nn.Sequential(*_layer(width + 3, width), *_layer(width, width))
        self.rest = nn.Sequential(*_layer(3 * width + 64, 512), Dropout(dropout),
                                  *_layer(512, 256), nn.Linear(256, parts))

    def forward(self, tokens, centers, points, category) -> torch.Tensor:
        """
        Give part logits (B, n, parts).

        :param tokens: (B, c, d). :param centers: (B, c, 3). :param points: (B, n, 3).
        :param category: (B,) int64.
        """
        batch, count, _ = points.shape
        named = F.one_hot(category, self.categories).to(tokens.dtype)
        whole = torch.cat([pool(tokens), self.label(named)], dim=1)
        index, weight = near_centers(points, centers)
        rows = torch.arange(batch, device=points.device)[:, None]
        at = sum(tokens[rows, index[..., k]] * weight[..., k, None] for k in range(index.shape[2]))
        at = self.carry(torch.cat([at, points], dim=2).flatten(0, 1)).view(batch, count, -1)
        whole = whole[:, None].expand(-1, count, -1)
        x = torch.cat([at, whole], dim=2).flatten(0, 1)
        for layer in self.rest:  # points in rows, but what drops them goes cloud by cloud
            x = layer(x.view(batch, count, -1)).flatten(0, 1) if isinstance(layer, Dropout) else \
                layer(x)
        return x.view(batch, count, -1)


def _layer(before, after):
    """Give the layers of one step on points (n, before)."""
    return nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()
