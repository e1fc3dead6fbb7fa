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

"""The student: any token budget of the menu through one set of weights (Foundry, section 3)."""

from typing import NamedTuple

import torch
from torch import nn

from training.models.backbone import Backbone, pool, Size
from training.models.supertokens import DynamicSupertokens, Upsample

MENU = (1, 2, 4, 8, 16, 32, 64)


def split_budget(budget: int, count: int, supertokens: int):
    """
    Split a budget into supertokens and kept tokens; together they are exactly the budget.

    :param budget: tokens that the encoder sees. :param count: c. :param supertokens: s.
    :return: (supertokens in use, tokens kept).
    """
    if budget >= count:
        return 0, count
    used = min(budget, supertokens)
    return used, budget - used


class Rebuilt(NamedTuple):
    """What the student says of a cloud, and how it came to it."""

    tokens: torch.Tensor     # (B, c, d_teacher) rebuilt
    fusable: torch.Tensor    # (B, c) of the gate, 0 to 1
    back: torch.Tensor       # (B, c, budget) which encoder token feeds which token
    summary: torch.Tensor    # (B, 2 d) what class heads read


class Student(nn.Module):
    """
    Tokenizer, gate, supertokens, encoder and upsampling.

    :param size: of its backbone. :param teacher_width: of the tokens that it rebuilds.
    :param supertokens: s.
    :param positions: give positions to the supertokens' keys and values and to the residual of
        the upsampling (the paper: no).
    :param encode: false for the control without an encoder, rebuilt = MLP(T).
    :param start: of the supertokens, see :class:`DynamicSupertokens`.
    """

    def __init__(self, size: Size, teacher_width: int, supertokens: int = 16,
                 positions: bool = False, encode: bool = True, start: str = 'random'):
        super().__init__()
        self.positions, self.encode = positions, encode
        self.summary_widths = (2 * teacher_width,)
        self.backbone = Backbone(size)
        self.gate = nn.Sequential(nn.Linear(size.width, 128), nn.GELU(), nn.Linear(128, 1))
        self.supertokens = DynamicSupertokens(size.width, supertokens, start=start)
        self.upsample = Upsample(size.width, teacher_width)

    def forward(self, groups: torch.Tensor, centers: torch.Tensor, budget: int) -> Rebuilt:
        """Rebuild the teacher's tokens of groups (B, c, k, 3), centers (B, c, 3)."""
        return self.rebuild(*self.embed(groups, centers), budget)

    def embed(self, groups: torch.Tensor, centers: torch.Tensor):
        """Give what no budget touches: tokens and their positions, both (B, c, d)."""
        return self.backbone.embed(groups, centers)

    def rebuild(self, tokens: torch.Tensor, position: torch.Tensor, budget: int) -> Rebuilt:
        """Rebuild the teacher's tokens from embedded ones, both (B, c, d), at a budget."""
        # The gate learns to predict the error of fusing and nothing else: no gradient leaves it.
        fusable = self.gate(tokens.detach()).squeeze(-1).float().sigmoid()
        seen = tokens + position if self.positions else tokens
        if not self.encode:
            rebuilt = self.upsample(seen)
            return Rebuilt(rebuilt, fusable, fusable[..., None], pool(rebuilt))
        handed, back = self._encode(tokens, position, seen, fusable, budget)
        rebuilt = self.upsample(seen + handed)
        return Rebuilt(rebuilt, fusable, back, pool(rebuilt))

    def _encode(self, tokens, position, seen, fusable, budget):
        """Give what the encoder hands to each token (B, c, d), and the map (B, c, budget)."""
        used, keep = split_budget(budget, tokens.shape[1], self.supertokens.count)
        if used == 0:
            eye = torch.eye(tokens.shape[1], device=tokens.device).expand(len(tokens), -1, -1)
            return self.backbone.encoder(tokens, position), eye
        # By rank and not by threshold: exactly `keep` tokens by-pass the supertokens, ties or not.
        slots = fusable.argsort(dim=1, stable=True)[:, :keep]
        mine = torch.zeros(*tokens.shape[:2], keep, dtype=tokens.dtype, device=tokens.device)
        mine.scatter_(1, slots[:, None], 1)
        kept = mine.sum(2)
        fused, back, filled = self.supertokens(seen, kept.float(), used)
        own = mine.transpose(1, 2) @ torch.cat([tokens, position], dim=-1)
        own, place = own.chunk(2, dim=-1)
        x = torch.cat([fused, own], dim=1)
        place = torch.cat([torch.zeros_like(fused), place], dim=1)
        hidden = torch.zeros_like(filled, dtype=x.dtype).masked_fill(~filled, -1e4)
        mask = torch.cat([hidden, torch.zeros_like(own[..., 0])], dim=1)[:, None, None]
        x = self.backbone.encoder(x, place, mask)
        back = torch.cat([back * (1 - kept)[..., None], mine], dim=2)
        return back @ x, back
