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

"""DSO and CAU: tokens to a few learned supertokens, and back (Foundry, section 3)."""

from typing import Optional, Tuple

import torch
from torch import nn
import torch.nn.functional as F

from training.models.chance import gumbel_softmax


class DynamicSupertokens(nn.Module):
    """
    Dynamic Supertoken Optimization: learned supertokens gather the tokens that are like them.

    Every supertoken and every token are compared once; the same comparison gathers (tokens to
    supertokens) and hands back (supertokens to tokens), so CAU needs no attention of its own.
    The set is nested: the first b of it are used for budget b. Each token goes to its most similar
    supertoken (Gumbel-Softmax with a straight-through gradient in training), which becomes the
    mean of its tokens' values. One that got no token keeps its learned value and is masked in the
    encoder.

    :param width: d. :param count: s, the size of the whole set.
    :param temperature: of the Gumbel-Softmax.
    :param start: ``random``: projections and small supertokens as is usual; it takes long until
        scores exceed the Gumbel noise, tokens are given out at random until then. ``similar``: no
        projections and supertokens far apart, so that similar tokens go together, and a
        supertoken is their mean, from the first step on.
    """

    def __init__(self, width: int, count: int = 16, temperature: float = 1.0,
                 start: str = 'random'):
        super().__init__()
        if start not in ('random', 'similar'):
            raise ValueError(f'start is random or similar, not {start!r}')
        self.count, self.temperature = count, temperature
        self.supertokens = nn.Parameter(torch.empty(count, width))
        self.query, self.key, self.value, self.out = (
            nn.Linear(width, width, bias=False) for _ in range(4))
        std = 10.0 if start == 'similar' else 0.02
        if start == 'similar':
            for projection in (self.query, self.key, self.value, self.out):
                nn.init.eye_(projection.weight)
        nn.init.trunc_normal_(self.supertokens, std=std, a=-2 * std, b=2 * std)

    def forward(self, tokens: torch.Tensor, kept: Optional[torch.Tensor], used: int
                ) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """
        Gather tokens (B, c, d) into the first ``used`` supertokens.

        :param kept: (B, c) one for a token that by-passes the supertokens, or None.
        :return: supertokens (B, used, d); the map that hands back (B, c, used), a row sums to 1;
            filled (B, used) bool, false where a supertoken got no token.
        """
        seeds = self.supertokens[:used]
        scores = self.key(tokens) @ self.query(seeds).T / tokens.shape[-1] ** 0.5
        scores = scores.float()
        fused = torch.ones_like(scores[..., :1]) if kept is None else (1 - kept)[..., None]
        gather, back = self._assign(scores, fused)
        mean = gather.to(tokens.dtype).transpose(1, 2) @ self.value(tokens)
        filled = gather.detach().sum(1) > 0
        gathered = torch.where(filled[..., None], self.out(mean), seeds)
        return gathered, back.to(tokens.dtype), filled

    def _assign(self, scores, fused):
        """Give the weights that gather and those that hand back, both (B, c, used)."""
        if self.training:
            back = gumbel_softmax(scores, self.temperature)
        else:
            back = F.one_hot(scores.argmax(2), scores.shape[2]).to(scores.dtype)
        taken = back * fused
        return taken / taken.sum(1, keepdim=True).clamp(min=1), back


class Upsample(nn.Sequential):
    """
    Cross-Attention Upsampling: rebuild the teacher's token from a token and what it was handed.

    The map is the one of the supertokens; what is left of CAU is this MLP, d to d_teacher.
    """

    def __init__(self, width: int, teacher_width: int):
        super().__init__(nn.Linear(width, teacher_width), nn.GELU(),
                         nn.Linear(teacher_width, teacher_width))
