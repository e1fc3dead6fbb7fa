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

"""
What the operators share: a column for each token, and merging and unmerging by it.

An operator that turns n tokens into m says for each token which of the m it goes to: ``column``
(B, n) int64. Whatever belongs to tokens is merged by it with the same weights, and handed back.
"""

from typing import Optional, Tuple

import torch

from training.models.grouping import take


def rank(values: torch.Tensor) -> torch.Tensor:
    """
    Give each of values (B, n) its place from the largest on, 0 first, ties by index: (B, n) int64.

    By counting and not by sorting: exact and the same in every runtime, and n is small.
    """
    mine, other = values[:, :, None], values[:, None, :]
    order = torch.arange(values.shape[1], device=values.device)
    before = (other > mine) | ((other == mine) & (order[None, :] < order[:, None]))
    return before.long().sum(2)


def multiply(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """
    Multiply matrices in float32, whatever the precision of the run.

    Sizes, and which token is nearest to which, want more than bfloat16.
    """
    if a.device.type == 'meta':  # knows no autocast
        return a.float() @ b.float()
    with torch.autocast(a.device.type, enabled=False):
        return a.float() @ b.float()


def one_hot(column: torch.Tensor, count: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
    """Give columns (B, n) as a map (B, n, count) of zeros and one 1 a row."""
    return (column[..., None] == torch.arange(count, device=column.device)).to(kind)


def merge(column: torch.Tensor, count: int, x: torch.Tensor,
          size: Optional[torch.Tensor] = None) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    Merge tokens x (B, n, d) that share a column into their mean, weighted by size.

    :param column: (B, n), below ``count``. :param size: (B, n), how many tokens each stands for;
        None: one.
    :return: merged (B, count, d), zero where nothing went, and their sizes (B, count), whose sum
        is that of the sizes before.
    """
    to = one_hot(column, count)
    to = to if size is None else to * size[..., None]
    total = to.sum(1)
    merged = multiply(to.transpose(1, 2), x) / total.clamp(min=1e-6)[..., None]
    return merged.to(x.dtype), total


def unmerge(column: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Copy merged tokens x (B, m, d) back to all that went into them: (B, n, d)."""
    return take(x, column)


def nearest(x: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
    """Give for each of x (B, n, d) the nearest of centers (B, m, d): (B, n) int64."""
    # |x|² is the same for all centers of a token.
    centers = centers.float()
    away = centers.square().sum(2)[:, None] - 2 * multiply(x, centers.transpose(1, 2))
    return away.argmin(2)
