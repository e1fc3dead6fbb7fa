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

"""Tokenizer, positions and encoder together: the teacher, and what a student starts from."""

from dataclasses import dataclass
from typing import Sequence

import torch
from torch import nn

from training.models.tokenizer import KINDS
from training.models.transformer import Encoder, Position


@dataclass(frozen=True)
class Size:
    """
    How large a backbone is; the defaults are the paper's ViT-S.

    ``tokens`` is the width that tokens and positions are made in, 0 for ``width``; where it
    differs, one linear layer brings both to ``width`` (the paper's ViT-T: 384 to 192).
    ``tokenizer`` is the paper's, ``mixing``, or ``lean``.
    """

    width: int = 384
    depth: int = 12
    heads: int = 6
    first: Sequence[int] = (128, 256)
    second: Sequence[int] = (512, 384)
    drop_path: float = 0.25
    dropout: float = 0.1
    attention: float = 0.0
    tokens: int = 0
    tokenizer: str = 'mixing'


class Backbone(nn.Module):
    """A plain point-cloud transformer on groups of neighbours."""

    def __init__(self, size: Size):
        super().__init__()
        self.size = size
        made = {'made': size.tokens} if size.tokenizer == 'lean' else {}
        self.tokenizer = KINDS[size.tokenizer](size.first, size.second, size.width, **made)
        self.position = Position(size.tokens or size.width)
        if not made and size.tokens not in (0, size.width, *tuple(size.second)[-1:]):
            raise ValueError(f'tokens of {size.tokens} are not what a tokenizer with second='
                             f'{list(size.second)} makes')
        self.encoder = Encoder(size.width, size.depth, size.heads, size.drop_path, size.dropout,
                               size.attention)

    def embed(self, groups: torch.Tensor, centers: torch.Tensor):
        """Give the tokens and their positions, both (B, c, width)."""
        position = self.position(centers)
        if position.shape[-1] != self.size.width:
            position = self.tokenizer.project(position)
        return self.tokenizer(groups), position

    def forward(self, groups: torch.Tensor, centers: torch.Tensor, norm: bool = True):
        """Encode all tokens of groups (B, c, k, 3) and centers (B, c, 3): (B, c, width)."""
        return self.encoder(*self.embed(groups, centers), norm=norm)


def pool(tokens: torch.Tensor) -> torch.Tensor:
    """Summarise tokens (B, c, d) as [max, mean] (B, 2 d), what class heads read."""
    return torch.cat([tokens.amax(1), tokens.mean(1)], dim=-1)
