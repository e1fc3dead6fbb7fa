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
Students by other means than supertokens: the baselines of the paper, and controls.

They take the place of :class:`training.models.student.Student`: the same backbone, which starts
from the teacher, the same loss, the same heads.
"""

from typing import Optional, Tuple

import torch
from torch import nn

from training.models.backbone import Backbone, pool, Size
from training.models.grouping import take
from training.models.reduce import fps_select, kmeans, progressive, schedule
from training.models.reduce.assignment import merge, nearest, one_hot, unmerge
from training.models.reduce.interpolation import interpolation
from training.models.reduce.larger_groups import regroup
from training.models.reduce.patch_merger import PatchMerger
from training.models.student import Rebuilt
from training.models.supertokens import Upsample


class Reduced(nn.Module):
    """
    What these students share: at a budget of all tokens they are the plain encoder.

    A kind has ``reduce(tokens, position, centers, left)``, which gives what the encoder hands to
    each token (B, c, d), and by which map (B, c, left); or it rebuilds in its own way.

    :param size: of the backbone. :param teacher_width: of the tokens that are rebuilt.
    :param count: tokens that are left, where no budget says otherwise.
    :param upsample: ``copy``: a rebuilt token is that which it went into; ``cau``: as the
        student's, MLP(token + that which it went into).
    """

    gated = False
    OPTIONS: Tuple[str, ...] = ('upsample',)

    def __init__(self, size: Size, teacher_width: int, count: int, upsample: str = 'copy'):
        super().__init__()
        if upsample not in ('copy', 'cau'):
            raise ValueError(f'student.upsample is copy or cau, not {upsample!r}')
        if upsample == 'copy' and size.width != teacher_width:
            raise ValueError(f'tokens of {size.width} cannot stand for the teacher\'s of '
                             f'{teacher_width} as they are: set student.upsample to cau')
        self.count = count
        self.summary_widths = (2 * teacher_width,)
        self.backbone = Backbone(size)
        self.gate = nn.Identity()  # none: nothing decides, and it has no weights
        self.upsample = Upsample(size.width, teacher_width) if upsample == 'cau' else None

    def forward(self, groups: torch.Tensor, centers: torch.Tensor, budget: Optional[int] = None
                ) -> Rebuilt:
        """Rebuild the teacher's tokens of groups (B, c, k, 3), centers (B, c, 3)."""
        return self.rebuild(*self.embed(groups, centers), budget)

    def embed(self, groups: torch.Tensor, centers: torch.Tensor):
        """Give what no budget touches, the first arguments of :meth:`rebuild`."""
        return (*self.backbone.embed(groups, centers), centers)

    def rebuild(self, tokens: torch.Tensor, position: torch.Tensor, centers: torch.Tensor,
                budget: Optional[int] = None) -> Rebuilt:
        """
        Rebuild the teacher's tokens from embedded ones.

        :param tokens: and position (B, c, d). :param centers: (B, c, 3).
        :param budget: tokens that are left; None: ``count``.
        """
        left, count = self.count if budget is None else budget, int(tokens.shape[1])
        if left >= count:
            handed = self.backbone.encoder(tokens, position)
            back = torch.eye(count, device=tokens.device).expand(tokens.shape[0], -1, -1)
        else:
            handed, back = self.reduce(tokens, position, centers, left)
        rebuilt = handed if self.upsample is None else self.upsample(tokens + handed)
        return Rebuilt(rebuilt, torch.ones_like(tokens[..., 0]), back, pool(rebuilt))


class Progressive(Reduced):
    """
    ToMe or PiToMe: tokens are merged from block to block, and copied back at the end.

    Modifications: positions are merged with the features, for they are added before each block.

    :param kind: ``tome`` or ``pitome``. :param schedule: ``halving`` as the paper has it, ``even``
        as ToMe itself or ``geometric`` as PiToMe itself.
    :param proportional: whether the attention counts merged tokens by size.
    """

    OPTIONS = ('upsample', 'schedule', 'proportional')

    def __init__(self, size: Size, teacher_width: int, count: int, kind: str = 'tome',
                 schedule: str = 'halving', proportional: bool = True, upsample: str = 'copy'):
        super().__init__(size, teacher_width, count, upsample)
        if schedule not in SCHEDULES:
            raise ValueError(f'student.schedule is {" or ".join(SCHEDULES)}, not {schedule!r}')
        self.schedule, self.proportional = SCHEDULES[schedule], proportional
        self.supertokens = progressive.Merging(kind)

    def reduce(self, tokens, position, centers, left):
        encoder = self.backbone.encoder
        removed = self.schedule(int(tokens.shape[1]), left, len(encoder.blocks))
        made = progressive.encode(encoder, progressive.begin(tokens, position), self.supertokens,
                                  removed, self.proportional)[-1]
        return progressive.whole(made), one_hot(made.source, left)


SCHEDULES = {'halving': schedule.halving, 'even': schedule.even,
             'geometric': schedule.geometric}


class PatchMerged(Reduced):
    """
    PatchMerger between two blocks; a token is handed back by the query that takes most of it.

    Modifications: positions are merged by the same weights, for they are added before each block.

    :param after: blocks before it; None: half of them, as in its paper and Foundry's.
    """

    OPTIONS = ('upsample', 'after')

    def __init__(self, size: Size, teacher_width: int, count: int, after: Optional[int] = None,
                 upsample: str = 'copy'):
        super().__init__(size, teacher_width, count, upsample)
        self.after = size.depth // 2 if after is None else after
        if not 0 <= self.after < size.depth:
            raise ValueError(f'student.after is {after}, the encoder has {size.depth} blocks')
        self.supertokens = PatchMerger(size.width, count)

    def reduce(self, tokens, position, centers, left):
        x = tokens
        for i, block in enumerate(self.backbone.encoder.blocks):
            if i == self.after:
                x, position, column = self.supertokens(x, position, left)
            x = block(x + position)
        return unmerge(column, self.backbone.encoder.norm(x)), one_hot(column, left)


class Clustered(Reduced):
    """
    K-means in each cloud, before the encoder; what is fused is what is alike, nothing learned.

    :param by: ``tokens`` or ``centers``. :param iterations: of k-means.
    """

    OPTIONS = ('upsample', 'by', 'iterations')

    def __init__(self, size: Size, teacher_width: int, count: int, by: str = 'tokens',
                 iterations: int = 10, upsample: str = 'cau'):
        super().__init__(size, teacher_width, count, upsample)
        if by not in ('tokens', 'centers'):
            raise ValueError(f'student.by is tokens or centers, not {by!r}')
        self.by, self.iterations = by, iterations
        self.supertokens = Gather()

    def reduce(self, tokens, position, centers, left):
        like = tokens if self.by == 'tokens' else centers
        column, _ = kmeans.cluster(like, kmeans.spread(like.detach(), left), self.iterations)
        x, place, mask = self.supertokens(column, left, tokens, position)
        x = self.backbone.encoder(x, place, mask)
        return unmerge(column, x), one_hot(column, left)


class Gather(nn.Module):
    """The mean of those tokens that share a column, and a mask for columns without any."""

    def forward(self, column, count, tokens, position):
        """Give tokens and positions (B, count, d) and the mask (B, 1, 1, count)."""
        both, size = merge(column, count, torch.cat([tokens, position.to(tokens.dtype)], dim=2))
        mask = torch.zeros_like(size).masked_fill(size == 0, -1e4)
        return *both.chunk(2, dim=2), mask[:, None, None]


class Selected(Reduced):
    """
    Tokens of farthest centres, before the encoder; features come back by 3-NN interpolation.

    :param members: whether a token is the mean of those nearest to its centre, or its own.
    """

    OPTIONS = ('upsample', 'members')

    def __init__(self, size: Size, teacher_width: int, count: int, members: bool = True,
                 upsample: str = 'cau'):
        super().__init__(size, teacher_width, count, upsample)
        self.members = members
        self.supertokens = Gather()

    def reduce(self, tokens, position, centers, left):
        index = fps_select.select(centers, left)
        chosen = take(centers, index)
        x, place = take(tokens, index), take(position, index)
        if self.members:
            column = fps_select.members(centers, chosen)
            x, place, _ = self.supertokens(column, left, tokens, position)
        back = interpolation(centers, chosen)
        return back.to(x.dtype) @ self.backbone.encoder(x, place), back


class LargerGroups(Reduced):
    """
    FPS-Student (Foundry, B.2): a tokenizer of its own for fewer and larger groups.

    As many points go through it as through the teacher's: 2·p / c₂ a group, and the groups that
    it is given hold 2·p points. Tokens come back by 3-NN interpolation (PointNet++).
    """

    OPTIONS = ()

    def embed(self, groups, centers):
        return groups, centers

    def rebuild(self, groups, centers, budget=None):
        """Rebuild the teacher's tokens of groups (B, c, k, 3) and centers (B, c, 3)."""
        left = self.count if budget is None else budget
        neighbours = int(groups.shape[1]) * int(groups.shape[2]) // left
        larger, chosen = regroup(groups, centers, left, neighbours)
        back = interpolation(centers, chosen)
        x = self.backbone(larger, chosen)
        rebuilt = back.to(x.dtype) @ x
        return Rebuilt(rebuilt, torch.ones_like(centers[..., 0]), back, pool(rebuilt))


class FirstGroups(Reduced):
    """
    A control: the plain encoder on the first groups, the rest of the cloud is not looked at.

    Centres come in the order of farthest point sampling, so the first groups are spread over the
    object. The others get their tokens by 3-NN interpolation, with nothing of their own.
    """

    def embed(self, groups, centers):
        return groups, centers

    def rebuild(self, groups, centers, budget=None):
        """Rebuild the teacher's tokens of groups (B, c, k, 3) and centers (B, c, 3)."""
        left = self.count if budget is None else budget
        chosen = centers[:, :left]
        tokens, position = self.backbone.embed(groups[:, :left], chosen)
        x = self.backbone.encoder(tokens, position)
        x = x if self.upsample is None else self.upsample(tokens + x)
        back = interpolation(centers, chosen)
        return Rebuilt(back.to(x.dtype) @ x, torch.ones_like(centers[..., 0]), back, pool(x))


class Prototypes(Reduced):
    """
    KMeans-Student (Foundry, B.3): prototypes of all tokens of a set through the frozen teacher.

    A token takes what its prototype became; all clouds share those. Without positions: the
    prototypes have none. Only a head learns; the prototypes come from k-means beforehand.
    """

    OPTIONS = ()

    def __init__(self, size: Size, teacher_width: int, count: int):
        super().__init__(size, teacher_width, count)
        self.backbone.requires_grad_(False).eval()
        self.register_buffer('prototypes', torch.zeros(count, size.width))

    def train(self, mode: bool = True):
        """Keep the backbone, its norms included, as it is."""
        super().train(mode)
        self.backbone.eval()
        return self

    def reduce(self, tokens, position, centers, left):
        if left != self.count:
            raise ValueError(f'there are {self.count} prototypes, not {left}')
        made = self.backbone.encoder(self.prototypes[None].to(tokens.dtype))
        column = nearest(tokens, self.prototypes[None])
        return made[0][column], one_hot(column, left)


KINDS = {'tome': Progressive, 'pitome': Progressive, 'patch_merger': PatchMerged,
         'kmeans': Clustered, 'fps': Selected, 'larger_groups': LargerGroups,
         'first_groups': FirstGroups, 'prototypes': Prototypes}


def make(size: Size, teacher_width: int, section: dict) -> Reduced:
    """
    Make the student that the section ``student`` of a configuration names under ``reduce``.

    :raises ValueError: no such kind, or an option that it does not have or understand.
    """
    kind = section['reduce']
    if kind not in KINDS:
        raise ValueError(f'student.reduce is one of {", ".join(KINDS)}, not {kind!r}')
    every = {name for made in KINDS.values() for name in made.OPTIONS}
    wrong = sorted(name for name in every & set(section) if name not in KINDS[kind].OPTIONS)
    if wrong:
        raise ValueError(f'student.{wrong[0]} is no option of {kind}')
    options = {name: section[name] for name in KINDS[kind].OPTIONS if name in section}
    if KINDS[kind] is Progressive:
        options['kind'] = kind
    return KINDS[kind](size, teacher_width, section['supertokens'], **options)
