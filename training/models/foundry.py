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

"""The student as published: Foundry, and Foundry-Gate by a threshold (Foundry, section 3)."""

from typing import Optional

import torch
from torch import nn

from training.models.backbone import pool, Size
from training.models.student import Rebuilt, Student


class NoGate(nn.Module):
    """What stands for a gate where there is none: every token is as fusable as any other."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Give logits (B, c, 1) of tokens (B, c, d)."""
        return torch.zeros_like(tokens[..., :1])


class Foundry(Student):
    """
    Foundry, and with a gate Foundry-Gate: a token is fused where its fusion probability exceeds r.

    Without a gate every token is fused. With one, at r = 1 it is the plain encoder; at a token
    budget it fuses by rank, see :class:`Student`, so that the budget is met, ties or not.

    The gate decides for each token by itself, so samples of a batch fuse differently many. Here
    all supertokens and all tokens go through the encoder and those not used are masked: nothing
    depends on them, and the gate learns what a token would be worth the other way (the gradient
    passes straight through the decision). In Listing 1 of the paper x·sel + x·(1 − sel) = x, so
    no such gradient is there and λ alone moves the gate: ``content`` false.

    :param supertokens: s. :param gate: whether there is one.
    :param ratio: r. :param content: whether the gate learns from the rebuilt tokens.
    :param temperature: of the Gumbel-Softmax (not stated; 1). :param start: of the supertokens.
    :param positions: see :class:`Student`; without a gate only.
    """

    def __init__(self, size: Size, teacher_width: int, supertokens: int = 16, gate: bool = True,
                 ratio: float = 0.5, content: bool = True, temperature: float = 1.0,
                 start: str = 'random', positions: bool = False):
        super().__init__(size, teacher_width, supertokens, positions, start=start)
        if gate and positions:
            raise ValueError('positions of supertokens are for a student without a gate')
        self.gated, self.ratio, self.content = gate, ratio, content
        if not gate:
            self.gate = NoGate()
        self.supertokens.temperature = temperature

    def rebuild(self, tokens: torch.Tensor, position: torch.Tensor, budget: Optional[int]
                ) -> Rebuilt:
        """
        Rebuild the teacher's tokens from embedded ones, both (B, c, d).

        :param budget: tokens that the encoder sees, chosen by rank; None: as trained, with a gate
            by the threshold r, without one all fused.
        """
        if budget is None and not self.gated:
            budget = self.supertokens.count
        if budget is not None:
            return super().rebuild(tokens, position, budget)
        fusable = self.gate(tokens.detach()).squeeze(-1).float().sigmoid()
        decision = (fusable > self.ratio).float()
        fuse = decision + fusable - fusable.detach() if self.content else decision
        fuse = fuse[..., None].to(tokens.dtype)
        fused, back, filled = self.supertokens(tokens, 1 - decision, self.supertokens.count)
        hidden = torch.cat([~filled, decision.bool()], dim=1)
        mask = torch.zeros_like(hidden, dtype=fused.dtype).masked_fill(hidden, -1e4)
        place = torch.cat([torch.zeros_like(fused), position], dim=1)
        x = self.backbone.encoder(torch.cat([fused, tokens], dim=1), place, mask[:, None, None])
        of_supertokens, own = x.split([fused.shape[1], tokens.shape[1]], dim=1)
        handed = fuse * (back @ of_supertokens) + (1 - fuse) * own
        back = torch.cat([fuse * back, torch.diag_embed(1 - fuse.squeeze(-1))], dim=2)
        rebuilt = self.upsample(tokens + handed)
        return Rebuilt(rebuilt, fusable, back, pool(rebuilt))
