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

"""An encoder that merges tokens block by block (ToMe, section 3; PiToMe; Foundry, B.2)."""

from typing import Callable, List, NamedTuple, Sequence

import torch
from torch import nn

from training.models.reduce import pitome, tome
from training.models.reduce.assignment import merge, unmerge
from training.models.transformer import Encoder

# Descriptors (B, n, d), how many go, how far through the blocks -> columns (B, n).
Match = Callable[[torch.Tensor, int, float], torch.Tensor]
MATCHES = {'tome': lambda descriptors, remove, _: tome.match(descriptors, remove),
           'pitome': pitome.match_at}


class Merged(NamedTuple):
    """Tokens on their way through the blocks."""

    x: torch.Tensor         # (B, n, width)
    position: torch.Tensor  # (B, n, width), merged with the same weights as the tokens
    size: torch.Tensor      # (B, n), how many tokens each stands for
    source: torch.Tensor    # (B, c) int64, where each token of the beginning has gone


def begin(x: torch.Tensor, position: torch.Tensor) -> Merged:
    """Begin with tokens that stand for themselves, both (B, c, width)."""
    alone = torch.ones(x.shape[:2], device=x.device)
    source = torch.arange(x.shape[1], device=x.device).expand(x.shape[0], -1)
    return Merged(x, position, alone, source)


def mask_of(size: torch.Tensor) -> torch.Tensor:
    """Give log(size) (B, 1, 1, n) for the attention: a token counts as all that it stands for."""
    return size.log()[:, None, None]


class Merging(nn.Module):
    """
    The step between attention and MLP: match by the keys' mean over heads, and merge.

    :param kind: ``tome`` or ``pitome``.
    """

    def __init__(self, kind: str):
        super().__init__()
        self.match: Match = MATCHES[kind]

    def forward(self, now: Merged, keys: torch.Tensor, remove: int, progress: float) -> Merged:
        """Merge ``remove`` tokens into others by keys (B, heads, n, d)."""
        column = self.match(keys.mean(1), remove, progress)
        both = torch.cat([now.x, now.position.to(now.x.dtype)], dim=2)
        both, size = merge(column, both.shape[1] - remove, both, now.size)
        source = column.gather(1, now.source)
        return Merged(*both.chunk(2, dim=2), size, source)


def encode(encoder: Encoder, now: Merged, merging: Merging, removed: Sequence[int],
           proportional: bool = True, after: Sequence[int] = ()) -> List[Merged]:
    """
    Encode tokens, merging some in each block.

    :param removed: tokens that go in each block, see :mod:`training.models.reduce.schedule`.
    :param proportional: whether the attention counts a token as many times as its size.
    :param after: blocks, from 0, whose output is wanted as well, as it is without the norm.
    :return: the tokens after those blocks, in order, and last the normalised ones of all.
    """
    found, depth = [], len(encoder.blocks)
    merged = False
    for i, (block, remove) in enumerate(zip(encoder.blocks, removed)):
        mask = mask_of(now.size) if proportional and merged else None
        now = now._replace(x=now.x + now.position)
        if remove:
            x, keys = block.attend(now.x, mask)
            now = merging(now._replace(x=x), keys, remove, i / depth)
            now = now._replace(x=block.transform(now.x))
            merged = True
        else:
            now = now._replace(x=block(now.x, mask))
        if i in after:
            found.append(now)
    return [*found, now._replace(x=encoder.norm(now.x))]


def whole(now: Merged) -> torch.Tensor:
    """Copy each merged token back to those that went into it: (B, c, width)."""
    return unmerge(now.source, now.x)
