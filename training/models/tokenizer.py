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

"""A group of neighbours to a token: mini-PointNet (Point-BERT; Foundry, section 3), and less."""

from typing import Sequence

import torch
from torch import nn
import torch.nn.functional as F


class Tokenizer(nn.Module):
    """
    Turn groups into tokens with two shared MLPs; the second also sees the group's maximum.

    The paper's is ``first=(128, 256)``, ``second=(512, 384)``, ``width=384``: 493,824 parameters.
    A ``second`` that ends in another width than ``width`` is pooled first and then projected,
    which is 32 times as cheap as projecting every point.

    :param first: widths of the MLP on points; the last one is the group's summary.
    :param second: widths of the MLP on [summary, point].
    :param width: of the tokens.
    """

    def __init__(self, first: Sequence[int], second: Sequence[int], width: int):
        super().__init__()
        self.inner = nn.Linear(3, first[0], bias=False)
        self.inner_norm = nn.BatchNorm1d(first[0])
        self.outer = nn.Linear(first[0], first[1])
        self.mix = nn.Linear(2 * first[1], second[0], bias=False)
        self.mix_norm = nn.BatchNorm1d(second[0])
        last = second[-1] if len(second) > 1 else None
        self.last = nn.Linear(second[0], last) if last else nn.Identity()
        pooled = last or second[0]
        self.project = nn.Linear(pooled, width) if pooled != width else nn.Identity()

    def forward(self, groups: torch.Tensor) -> torch.Tensor:
        """Map groups (B, c, k, 3) to tokens (B, c, width)."""
        batch, count, neighbours, _ = groups.shape
        x = F.relu(self.inner_norm(self.inner(groups.reshape(-1, 3))))
        x = self.outer(x).view(batch * count, neighbours, -1)
        # The layer acts on [summary, point]; the summary's half is the same for all points of a
        # group, so it is computed once a group: the same result with half the multiplications.
        on_summary, on_point = self.mix.weight.chunk(2, dim=1)
        x = F.linear(x, on_point) + F.linear(x.amax(1), on_summary)[:, None]
        x = F.relu(self.mix_norm(x.flatten(0, 1)))
        x = self.last(x).view(batch, count, neighbours, -1).amax(2)
        return self.project(x)


class LeanTokenizer(nn.Module):
    """
    Turn groups into tokens with an MLP on points, their maximum, and an MLP on groups.

    What happens to points costs 32 times what happens to groups, so little does.

    :param first: widths of the MLP on points. :param second: hidden widths of that on groups.
    :param width: of the tokens. :param made: width that they are made in before they are projected
        to it, 0 for the same.
    """

    def __init__(self, first: Sequence[int], second: Sequence[int], width: int, made: int = 0):
        super().__init__()
        widths, made = [3, *first], made or width
        self.points = nn.Sequential(*(
            layer for before, after in zip(widths, widths[1:])
            for layer in (nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU())))
        widths = [widths[-1], *second]
        self.groups = nn.Sequential(*(
            layer for before, after in zip(widths, widths[1:])
            for layer in (nn.Linear(before, after), nn.GELU())), nn.Linear(widths[-1], made))
        self.project = nn.Linear(made, width) if made != width else nn.Identity()

    def forward(self, groups: torch.Tensor) -> torch.Tensor:
        """Map groups (B, c, k, 3) to tokens (B, c, width)."""
        points = self.points(groups.reshape(-1, 3))
        return self.project(self.groups(points.view(*groups.shape[:3], -1).amax(2)))


KINDS = {'mixing': Tokenizer, 'lean': LeanTokenizer}
