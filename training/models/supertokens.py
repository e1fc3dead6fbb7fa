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


class DynamicSupertokens(nn.Module):
    """
    Dynamic Supertoken Optimization: learned supertokens gather the tokens that are like them.

    Every supertoken and every token are compared once; the same comparison gathers (tokens to
    supertokens) and hands back (supertokens to tokens), so CAU needs no attention of its own.
    The set is nested: the first b of it are used for budget b.

    * ``hard`` is the paper's: each token goes to its most similar supertoken (Gumbel-Softmax with
      a straight-through gradient in training), which becomes the mean of its tokens' values. One
      that got no token keeps its learned value and is masked in the encoder.
    * ``soft`` gathers with a softmax over the tokens for each supertoken and hands back with a
      softmax over the supertokens for each token. What a supertoken gathers then does not depend
      on how many others there are, so a prefix of the set is a good set.

    :param width: d. :param count: s, the size of the whole set.
    :param temperature: of the Gumbel-Softmax (hard only).
    :param start: of hard ones. ``random``: projections and small supertokens as is usual; it
        takes long until scores exceed the Gumbel noise, tokens are given out at random until
        then. ``similar``: no projections and supertokens far apart, so that similar tokens go
        together, and a supertoken is their mean, from the first step on.
    """

    def __init__(self, width: int, count: int = 16, assignment: str = 'hard',
                 temperature: float = 1.0, start: str = 'random'):
        super().__init__()
        if assignment not in ('hard', 'soft'):
            raise ValueError(f'assignment is hard or soft, not {assignment!r}')
        if start not in ('random', 'similar'):
            raise ValueError(f'start is random or similar, not {start!r}')
        self.assignment, self.count, self.temperature = assignment, count, temperature
        self.supertokens = nn.Parameter(torch.empty(count, width))
        self.query, self.key, self.value, self.out = (
            nn.Linear(width, width, bias=False) for _ in range(4))
        std = 1.0 if assignment == 'soft' else 0.02
        if start == 'similar':
            std = 10.0
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
        gathered = self.out(mean)
        if self.assignment == 'soft':
            return seeds + gathered, back.to(tokens.dtype), filled
        return torch.where(filled[..., None], gathered, seeds), back.to(tokens.dtype), filled

    def _assign(self, scores, fused):
        """Give the weights that gather and those that hand back, both (B, c, used)."""
        if self.assignment == 'soft':
            gather = (scores + (fused - 1) * 1e4).softmax(dim=1)
            return gather, scores.softmax(dim=2)
        if self.training:
            back = F.gumbel_softmax(scores, self.temperature, hard=True)
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
