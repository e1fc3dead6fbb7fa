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

"""A student whose tokens are regions of the object: one at budget 1, each group its own at 64."""

from typing import Tuple

import torch
from torch import nn

from training.models.backbone import Backbone, pool, Size
from training.models.student import Rebuilt
from training.models.supertokens import Upsample


def regions(centers: torch.Tensor, count: int) -> torch.Tensor:
    """
    Give each group to the nearest of the first ``count`` centres.

    Centres come in the order of farthest point sampling, so the first ones are spread over the
    object whatever their number, every region has at least its own centre, and at ``count`` = c
    every group is a region of its own. Only where centres coincide is one left empty.

    :param centers: (B, c, 3). :return: (B, c, count) one-hot.
    """
    seeds = centers[:, :count]
    distance = (centers[:, :, None] - seeds[:, None]).square().sum(-1)
    nearest = distance.argmin(2)[..., None]
    return (nearest == torch.arange(centers.shape[1], device=centers.device)[:count]).float()


class Gather(nn.Module):
    """
    Summarise the tokens of each region, every channel by a softmax of its own over them.

    It can be their mean or, with large scores, their maximum, channel by channel (the vector
    attention of Zhao et al. 2021, Point Transformer), and is two matrix products.
    """

    def __init__(self, width: int):
        super().__init__()
        self.score, self.value = (nn.Linear(width, width) for _ in range(2))

    def forward(self, tokens: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, c, d) and regions (B, c, b) to (B, b, d)."""
        score = self.score(tokens).float()
        # Bounded below, so that no region's weights vanish beside another's.
        weight = (score - score.amax(1, keepdim=True)).clamp(min=-20).exp()
        own = own.float().transpose(1, 2)
        both = own @ torch.cat([weight * self.value(tokens).float(), weight], dim=-1)
        total, norm = both.chunk(2, dim=-1)
        return (total / norm.clamp(min=1e-12)).to(tokens.dtype)


SUMMARIES = ('encoded', 'rebuilt', 'both')


class RegionStudent(nn.Module):
    """
    Tokenizer, regions, encoder and upsampling; see :class:`Student` for the interface.

    :param size: of its backbone. :param teacher_width: of the tokens that it rebuilds.
    :param summary: what class heads read: ``encoded`` tokens, ``rebuilt`` ones, or ``both`` the
        encoded ones and the student's own, which no budget changes. With ``rebuilt`` ones all
        budgets are worth the same: the tokens' own way through is learned first and is enough.
    :param pooled: width in which the student's own tokens are summarised.
    :param near: let each head of the encoder prefer regions that are near, as far as it learns.
    :param encode: false for the control without an encoder, rebuilt = MLP(T).
    """

    def __init__(self, size: Size, teacher_width: int, summary: str = 'both', pooled: int = 256,
                 near: bool = True, encode: bool = True):
        super().__init__()
        if summary not in SUMMARIES:
            raise ValueError(f'summary is one of {", ".join(SUMMARIES)}, not {summary!r}')
        self.summary, self.encode = summary if encode else 'rebuilt', encode
        width = size.width
        self.backbone = Backbone(size)
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.own = nn.Sequential(nn.GELU(), nn.Linear(width, pooled))
        self.gather = Gather(width)
        self.extent = nn.Linear(1, width)
        # Heads begin with reaches from all of the object to a fifth of it.
        self.reach = nn.Parameter(torch.linspace(-2.0, 3.0, size.heads)) if near else None
        self.upsample = Upsample(width, teacher_width)
        self.summary_widths = {'encoded': (2 * width,), 'rebuilt': (2 * teacher_width,),
                               'both': (2 * width, 2 * pooled)}[self.summary]

    def forward(self, groups: torch.Tensor, centers: torch.Tensor, budget: int) -> Rebuilt:
        """Rebuild the teacher's tokens of groups (B, c, k, 3), centers (B, c, 3)."""
        return self.rebuild(*self.embed(groups, centers), budget)

    def embed(self, groups: torch.Tensor, centers: torch.Tensor
              ) -> Tuple[torch.Tensor, torch.Tensor]:
        """Give what no budget touches: tokens with their positions (B, c, d), and the centres."""
        tokens, position = self.backbone.embed(groups, centers)
        return self.mix(tokens + position), centers

    def rebuild(self, tokens: torch.Tensor, centers: torch.Tensor, budget: int) -> Rebuilt:
        """Rebuild the teacher's tokens from embedded ones (B, c, d) at a budget."""
        if not self.encode:
            rebuilt = self.upsample(tokens)
            return Rebuilt(rebuilt, None, None, pool(rebuilt))
        own = regions(centers, budget)
        x = self._encode(tokens, centers, own)
        rebuilt = self.upsample(tokens + own.to(x.dtype) @ x)
        summary = pool(rebuilt if self.summary == 'rebuilt' else x)
        if self.summary == 'both':
            summary = torch.cat([summary, pool(self.own(tokens))], dim=-1)
        return Rebuilt(rebuilt, None, own, summary)

    def _encode(self, tokens, centers, own):
        """Give what the encoder makes of the regions ``own`` (B, c, b): (B, b, d)."""
        size = own.sum(1).clamp(min=1)[..., None]
        place, bias = own.transpose(1, 2) @ centers / size, None
        if self.reach is not None:
            apart = (place[:, :, None] - place[:, None]).square().sum(-1)
            bias = -apart[:, None] * self.reach.exp()[:, None, None]
        x = self.gather(tokens, own) + self.extent(size.log())
        return self.backbone.encoder(x, self.backbone.position(place), bias)
