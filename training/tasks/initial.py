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

from typing import List, Optional, Union

import torch

from training.models.backbone import Backbone
from training.models.foundry import Foundry
from training.tasks.common import size_of, weights
from training.tasks.distill import make_student

Network = Union[Backbone, Foundry]


def network(config) -> Network:
    """
    Make the network of a configuration and load what it was trained to before.

    ``distilled`` names a student's checkpoint, ``pretrained`` a teacher's, empty: from scratch.
    """
    if 'student' in config:
        student = make_student(config)
        if config['distilled']:
            student.load_state_dict(weights(config['distilled'], 'student.'))
        student.gate.requires_grad_(False)  # it learns from distillation alone
        if not student.gated:
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

    :param budget: of a student; None: as it was distilled. A teacher has none.
    """
    if isinstance(model, Backbone):
        return model(groups, centers)
    return model(groups, centers, budget).tokens


def levels(model: Network, groups, centers, budget, after) -> List[torch.Tensor]:
    """
    Give what a part head averages: what leaves some blocks of the encoder, each (B, c, d).

    A student's are one: its rebuilt tokens stand for the teacher's last ones, and the papers do
    not say what would stand for the others.
    """
    if isinstance(model, Backbone):
        tokens, position = model.embed(groups, centers)
        return model.encoder.levels(tokens, position, after)
    return [model(groups, centers, budget).tokens]
