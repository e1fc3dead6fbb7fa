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

"""The encoder: pre-norm transformer blocks that get the position anew before every block."""

from typing import List, Optional, Sequence, Tuple

import torch
from torch import nn
import torch.nn.functional as F

from training.models.chance import dropout, rand


class Position(nn.Sequential):
    """Centres (B, c, 3) to positional embeddings (B, c, width) (Point-JEPA, section 3.3)."""

    def __init__(self, width: int, hidden: int = 128):
        super().__init__(nn.Linear(3, hidden), nn.GELU(), nn.Linear(hidden, width))


class Block(nn.Module):
    """
    One pre-norm block: self-attention, then a four times wider MLP, with stochastic depth.

    :param dropout: of what a branch adds. :param attention: dropout of the attention weights.
    """

    def __init__(self, width: int, heads: int, drop_path: float = 0.0, dropout: float = 0.0,
                 attention: float = 0.0):
        super().__init__()
        self.heads, self.drop_path, self.dropout = heads, drop_path, dropout
        self.attention_dropout = attention
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor, mask: Optional[torch.Tensor] = None,
                heard: Optional[int] = None) -> torch.Tensor:
        """
        Transform x (B, n, width).

        :param mask: (B, 1, 1, n or heard) added to the attention logits, or None.
        :param heard: how many tokens all attend to, the first; None: to all.
        """
        return self.transform(self.attend(x, mask, heard)[0])

    def attend(self, x: torch.Tensor, mask: Optional[torch.Tensor] = None,
               heard: Optional[int] = None) -> Tuple[torch.Tensor, torch.Tensor]:
        """
        Attend among the tokens x (B, n, width), see :meth:`forward`.

        :return: they, and the keys (B, heads, n or heard, d).
        """
        batch, count, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, count, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if heard is not None:
            k, v = k[:, :, :heard], v[:, :, :heard]
        # Written out: with few tokens twice as fast to train on a CPU as the fused operator.
        scores = q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5
        scores = scores if mask is None else scores + mask
        weights = scores.float().softmax(-1).to(v.dtype)
        added = dropout(weights, self.attention_dropout, self.training) @ v
        added = self.out(added.transpose(1, 2).reshape(batch, count, width))
        return x + self._drop(added), k

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """Transform each token of x (B, n, width) by itself: the MLP."""
        return x + self._drop(self.down(F.gelu(self.up(self.norm2(x)))))

    def _drop(self, x):
        x = dropout(x, self.dropout, self.training)
        if not self.training or self.drop_path == 0:
            return x
        keep = rand(len(x), 1, 1, device=x.device) >= self.drop_path
        return x * keep / (1 - self.drop_path)


class Encoder(nn.Module):
    """
    Blocks and a final norm; stochastic depth grows linearly over the blocks.

    :param width: of the tokens. :param depth: blocks. :param heads: of the attention.
    :param drop_path: of the last block. :param dropout: and attention, see :class:`Block`.
    """

    def __init__(self, width: int, depth: int, heads: int, drop_path: float = 0.0,
                 dropout: float = 0.0, attention: float = 0.0):
        super().__init__()
        rates = torch.linspace(0, drop_path, depth, device='cpu').tolist()
        self.blocks = nn.ModuleList(
            Block(width, heads, rate, dropout, attention) for rate in rates)
        self.norm = nn.LayerNorm(width)
        self._init(depth)

    def _init(self, depth):
        """Truncated normal, residual branches rescaled by depth as in GPT-2 (Foundry, Table 6)."""
        for name, p in self.named_parameters():
            if name.endswith('weight') and p.dim() == 2:
                scale = (2 * depth) ** -0.5 if '.out.' in name or '.down.' in name else 1.0
                nn.init.trunc_normal_(p, std=0.02 * scale)
            elif name.endswith('bias'):
                nn.init.zeros_(p)

    def forward(self, x: torch.Tensor, position: Optional[torch.Tensor] = None,
                mask: Optional[torch.Tensor] = None, norm: bool = True,
                part: slice = slice(None), heard: Optional[int] = None) -> torch.Tensor:
        """
        Encode x (B, n, width), adding position (B, n, width) before every block.

        :param part: of the blocks, all unless told. :param mask: and heard, see :class:`Block`.
        """
        for block in list(self.blocks)[part]:
            x = block(x if position is None else x + position, mask, heard)
        return self.norm(x) if norm else x

    def levels(self, x: torch.Tensor, position: torch.Tensor, after: Sequence[int]
               ) -> List[torch.Tensor]:
        """Give x (B, n, width) as it leaves the blocks numbered in ``after``, from 0."""
        found = []
        for i, block in enumerate(self.blocks):
            x = block(x + position)
            if i in after:
                found.append(x)
        return found
