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

"""What a published fine-tuning starts from: the teacher, or a student distilled from it."""

from typing import List, Optional, Sequence, Union

import torch

from training.config import ConfigError
from training.models.backbone import Backbone, pool
from training.models.foundry import Foundry
from training.models.reduce import progressive
from training.models.reduce.schedule import halving
from training.models.reduced import Reduced
from training.models.regions import RegionStudent
from training.models.student import Rebuilt
from training.tasks.common import size_of, weights
from training.tasks.distill import make_student

Network = Union[Backbone, Foundry, Reduced, RegionStudent]


def network(config) -> Network:
    """
    Make the network of a configuration and load what it was trained to before.

    ``distilled`` names a student's checkpoint, ``pretrained`` a teacher's, empty: from scratch.
    """
    if 'student' in config:
        student = make_student(config)
        if config['distilled']:
            student.load_state_dict(weights(config['distilled'], 'student.'))
        if not isinstance(student, RegionStudent):
            student.gate.requires_grad_(False)  # it learns from distillation alone
        if isinstance(student, Foundry) and not student.gated:
            student.backbone.position.requires_grad_(False)  # all fused: nothing uses them
        return student
    backbone = Backbone(size_of(config['model']))
    if config['pretrained']:
        backbone.load_state_dict(weights(config['pretrained'], 'model.backbone.'))
    return backbone


def head_width(config) -> int:
    """Give the width of the tokens that heads read: a student rebuilds its teacher's."""
    return config['teacher' if 'student' in config else 'model']['width']


def encode(model: Network, groups: torch.Tensor, centers: torch.Tensor, budget: Optional[int]
           ) -> torch.Tensor:
    """
    Give the tokens (B, c, d) that heads read.

    :param budget: of a student; None: as it was distilled. A teacher's tokens are merged to that
        many, and heads read those that are left; None: all tokens.
    """
    if isinstance(model, Backbone):
        return model(groups, centers) if budget is None else merging(
            model, groups, centers, budget)[-1].x
    return model(groups, centers, budget).tokens


def rebuild(model: Network, groups: torch.Tensor, centers: torch.Tensor,
            menu: Sequence[Optional[int]]) -> List[Rebuilt]:
    """Rebuild the teacher's tokens at several budgets of a student; the tokenizer is paid once."""
    embedded = model.embed(groups, centers)
    return [model.rebuild(*embedded, budget) for budget in menu]


def summarise(model: Network, groups: torch.Tensor, centers: torch.Tensor,
              menu: Sequence[Optional[int]]) -> List[torch.Tensor]:
    """Give what a class head reads at each budget: [max, mean] of the tokens, or a summary."""
    if isinstance(model, RegionStudent):
        return [made.summary for made in rebuild(model, groups, centers, menu)]
    return [pool(encode(model, groups, centers, budget)) for budget in menu]


def levels(model: Network, groups, centers, budget, after) -> List[torch.Tensor]:
    """
    Give what a part head averages: what leaves some blocks of the encoder, each (B, c, d).

    A student's are one: its rebuilt tokens stand for the teacher's last ones, and the papers do
    not say what would stand for the others.
    """
    if isinstance(model, Backbone):
        if budget is not None:
            found = merging(model, groups, centers, budget, after)
            return [progressive.whole(level) for level in found[:-1]]
        return model.encoder.levels(*model.embed(groups, centers), after)
    return [model(groups, centers, budget).tokens]


def merging(model: Backbone, groups, centers, budget: int, after: Sequence[int] = ()
            ) -> List[progressive.Merged]:
    """
    Merge a teacher's tokens by ToMe, halving them block by block (Foundry, B.4).

    :return: tokens after some blocks and last the normalised ones, see
        :func:`progressive.encode`.
    """
    try:
        removed = halving(centers.shape[1], budget, len(model.encoder.blocks))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    start = progressive.begin(*model.embed(groups, centers))
    return progressive.encode(model.encoder, start, progressive.Merging('tome'), removed,
                              after=after)
