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

from typing import List, Optional, Tuple

import torch
from torch import nn

from training.models.backbone import Backbone, pool, Size
from training.models.student import Rebuilt
from training.models.supertokens import Upsample


# How many tokens early blocks attend to: the first, spread over the object, all of them where
# there are no more. So what many tokens cost grows as their number and not as its square.
HEARD = 64


def regions(centers: torch.Tensor, count: int) -> torch.Tensor:
    """
    Give each group to the nearest of the first ``count`` centres.

    Centres come in the order of farthest point sampling, so the first ones are spread over the
    object whatever their number. Each of them is of its own region, coinciding ones too: none is
    empty, and at ``count`` = c every group is a region of its own.

    :param centers: (B, c, 3). :return: (B, c, count) one-hot.
    """
    number = torch.arange(centers.shape[1], device=centers.device)
    seeds, own = centers[:, :count], number[:, None] == number[:count]
    distance = (centers[:, :, None] - seeds[:, None]).square().sum(-1) - own.to(centers.dtype)
    return (distance.argmin(2)[..., None] == number[:count]).float()


def at_work(budget, count):
    """
    Tell of how many regions and tokens there is anything to summarise and to rebuild.

    Of all; but where every token is a region of its own, of none: they are what they were. A
    traced graph has no branches, so one of each is left there, of which nothing is used.

    :param budget: of ``count`` = c tokens; either may be a tensor.
    :return: regions, tokens, and how many rows of what comes of them are to be skipped.
    """
    whole = budget >= count
    whole = whole.long() if isinstance(whole, torch.Tensor) else int(whole)
    return budget - whole * (budget - 1), count - whole * (count - 1), whole


def instead(skipped, made: torch.Tensor, own: torch.Tensor, count) -> torch.Tensor:
    """Give what was made (B, count, d); that skipped, what tokens (B, c, d) are by themselves."""
    return torch.cat([made, own], dim=1)[:, skipped:skipped + count]


def log_count(tokens: torch.Tensor) -> torch.Tensor:
    """Give the logarithm of c of tokens (B, c, d), as a tensor: a traced graph takes any c."""
    return torch.as_tensor(tokens.shape[1], dtype=torch.float32).log()


class Gather(nn.Module):
    """
    Summarise the tokens of each region, every channel by a softmax of its own over them.

    It can be their mean or, with large scores, their maximum, channel by channel (the vector
    attention of Zhao et al. 2021, Point Transformer), and is two matrix products.
    """

    def __init__(self, width: int):
        super().__init__()
        self.score, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor, seen: torch.Tensor, member: torch.Tensor,
                extent: torch.Tensor) -> torch.Tensor:
        """
        Map tokens and what was seen of them (B, c, d) to one token a region (B, b, d).

        :param member: (B, c, b) regions. :param extent: (B, b, 1) of them; at 0, a region of one
            token, it is that token.
        """
        score = self.score(seen).float()
        # Bounded below, so that no region's weights vanish beside another's.
        weight = (score - score.amax(1, keepdim=True)).clamp(min=-20).exp()
        rows = torch.cat([weight * tokens.float(), weight * seen.float(), weight], dim=-1)
        kept, more, norm = (member.transpose(1, 2) @ rows).chunk(3, dim=-1)
        norm = norm.clamp(min=1e-12)
        x = kept / norm + extent * self.out((more / norm).to(tokens.dtype)).float()
        return x.to(tokens.dtype)


class RegionUpsample(nn.Module):
    """
    Rebuild tokens from what is seen of each and what the encoder says of its region.

    An MLP of both, beside what the encoder says. The layers for the latter run on regions, so cost
    nothing where these are few, and are its own: of a sum of both the MLP could not take back what
    holds for the region but not for the token.

    :param residual: false: from what the encoder says alone.
    """

    def __init__(self, width: int, residual: bool = True):
        super().__init__()
        self.residual, self.mlp = residual, Upsample(width, width)
        self.told, self.kept = (nn.Linear(width, width, bias=False) for _ in range(2))
        nn.init.eye_(self.kept.weight)

    def forward(self, seen: torch.Tensor, member: torch.Tensor, x: torch.Tensor,
                extent: torch.Tensor) -> torch.Tensor:
        """
        Give tokens (B, c, d) from what is seen of them (B, c, d).

        :param member: (B, c, b) regions. :param x: (B, b, d) what the encoder says of them.
        :param extent: (B, b, 1) of them; at 0, a region of one token, that token is x.
        """
        first, activation, last = self.mlp
        member, finer = member.to(x.dtype), (1 - (1 - extent) ** 4).to(x.dtype)  # soon all of it
        hidden = member @ self.told(x) + (first(seen) if self.residual else first.bias)
        kept = x + finer * (self.kept(x) - x)
        return member @ kept + (member @ finer) * last(activation(hidden))


class RegionStudent(nn.Module):
    """
    Tokenizer, regions, encoder and upsampling; see :class:`Student` for the interface.

    With all tokens it is the plain encoder (early blocks up to :data:`HEARD` tokens), so it can
    start as its teacher and is that there; what regions need beyond it grows with their extent.

    :param size: of its backbone. :param teacher_width: of the tokens that it rebuilds, the same.
    :param pooled: width in which the student's own tokens are summarised: a second opinion of the
        class, which needs no encoder, and what regions are told of the whole object, the more the
        fewer they are; 0: neither, heads read the encoder's tokens alone.
    :param encode: false for the control without an encoder, rebuilt = MLP(T), the summary that of
        the student's own tokens.
    :param residual: false for the control whose rebuilt tokens know of their region alone.
    :param early: blocks of the encoder that see all tokens, before these are told by regions: a
        student's own opinion, too, then knows of the whole object.
    :raises ValueError: parts that do not go together.
    """

    gated = False

    def __init__(self, size: Size, teacher_width: int, pooled: int = 256, encode: bool = True,
                 residual: bool = True, early: int = 0):
        super().__init__()
        if not (encode or pooled):
            raise ValueError('a student without an encoder needs pooled')
        if size.width != teacher_width:
            raise ValueError(f'a student of regions is as wide as its teacher, {teacher_width}, '
                             f'not {size.width}')
        if not 0 <= early <= size.depth - encode:
            raise ValueError(f'early is 0 to {size.depth - encode} of {size.depth} blocks, not '
                             f'{early}')
        self.encode, self.early, width = encode, early, size.width
        self.backbone = Backbone(size)
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.gather = Gather(width)
        self.span = nn.Linear(1, width, bias=False)  # beside a region's position, its extent
        self.upsample = RegionUpsample(width, residual) if encode else Upsample(width, width)
        self.overall = Upsample(2 * width, 2 * width)
        self.summary_widths = (2 * width,)
        self.own = None
        if pooled:
            self.own = nn.Sequential(nn.GELU(), nn.Linear(width, pooled))
            self.own_overall = Upsample(2 * pooled, 2 * width)
            if encode:
                self.summary_widths = (2 * width, 2 * width, 1)
                self.whole = nn.Linear(2 * pooled, width)
                nn.init.zeros_(self.whole.weight)
                nn.init.zeros_(self.whole.bias)

    def untouched(self) -> List[nn.Module]:
        """Give the parts that treat a group alike at every budget, early blocks among them."""
        own = [self.own, self.own_overall] if self.own is not None else []
        early = self.backbone.encoder.blocks[:self.early]
        return [self.backbone.tokenizer, self.backbone.position, *early, self.mix, *own]

    def forward(self, groups: torch.Tensor, centers: torch.Tensor, budget: Optional[int]
                ) -> Rebuilt:
        """
        Rebuild the teacher's tokens of groups (B, c, k, 3), centers (B, c, 3).

        :param budget: None: all tokens.
        """
        return self.rebuild(*self.embed(groups, centers), budget)

    def embed(self, groups: torch.Tensor, centers: torch.Tensor
              ) -> Tuple[Optional[torch.Tensor], ...]:
        """
        Give what no budget touches, the first arguments of :meth:`rebuild`.

        :param groups: (B, c, k, 3). :param centers: (B, c, 3).
        :return: what leaves the early blocks, positions, and what is seen of both, (B, c, d),
            what is pooled of the student's own tokens, (B, 2 pooled) or None, and the centres.
        """
        tokens, position = self.backbone.embed(groups, centers)
        tokens = self.backbone.encoder(tokens, position, norm=False, part=slice(self.early),
                                       heard=HEARD)
        seen = self.mix(tokens + position)
        pooled = None if self.own is None else pool(self.own(seen))
        return tokens, position, seen, pooled, centers

    def rebuild(self, tokens: torch.Tensor, position: torch.Tensor, seen: torch.Tensor,
                pooled: Optional[torch.Tensor], centers: torch.Tensor, budget: Optional[int]
                ) -> Rebuilt:
        """Rebuild the teacher's tokens (B, c, d) from what :meth:`embed` gives, at a budget."""
        if not self.encode:
            return Rebuilt(self.upsample(seen), None, None, self.own_overall(pooled))
        budget = centers.shape[1] if budget is None else budget
        share = torch.as_tensor(budget, dtype=torch.float32).log() / log_count(centers)
        x, rebuilt = self._encode(tokens, position, seen, pooled, centers, budget, share)
        summary = pool(x)
        summary = summary + (1 - share) * self.overall(summary)
        if pooled is not None:
            column = torch.zeros_like(summary[:, :1]) + share
            summary = torch.cat([summary, self.own_overall(pooled), column], dim=-1)
        return Rebuilt(rebuilt, None, regions(centers, budget), summary)

    def _encode(self, tokens, position, seen, pooled, centers, budget, share):
        """
        Give what the encoder makes of regions, and all tokens from it.

        :param pooled: of the student's own tokens; None: no region is told of the whole object.
        :param share: 0 at one region, 1 at all.
        """
        some, those, skipped = at_work(budget, centers.shape[1])
        seen, centers = seen[:, :those], centers[:, :those]
        member = regions(centers, some)
        size = member.sum(1)[..., None]
        extent = size.log() / log_count(tokens)
        place = self.backbone.position(member.transpose(1, 2) @ centers / size) + self.span(extent)
        x = self.gather(tokens[:, :those], seen, member, extent)
        if pooled is not None:
            x = x + ((1 - share) * self.whole(pooled))[:, None].to(x.dtype)
        x = instead(skipped, x, tokens, budget)
        place = instead(skipped, place, position, budget)
        x = self.backbone.encoder(x, place, part=slice(self.early, None))
        rebuilt = self.upsample(seen, member, x[:, :some], extent)
        return x, instead(skipped, rebuilt, x, tokens.shape[1])
