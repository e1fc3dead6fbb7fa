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
What fewer groups cost where they are given: no network's time holds the making of its groups.

Random sampling, larger groups and FPS-Student (Foundry, B.2 and B.4).
"""

from typing import Dict, Optional, Tuple, Union

from foundry_ros.tokens import GROUPS, NEIGHBOURS
from torch import nn

from training.models.backbone import pool
from training.models.reduce.interpolation import interpolation
from training.models.reduced import LargerGroups
from training.tasks import describe
from training.tasks.finetune import Recogniser


def shape(student: nn.Module, budget: Union[int, str]) -> Optional[Tuple[int, int]]:
    """Give how many groups of how many points a student is given; None: all of them as usual."""
    kind, _, count = str(budget).rpartition(' ')
    if kind == 'larger' or isinstance(student, LargerGroups):
        return int(count), GROUPS * NEIGHBOURS // int(count)
    return (int(count), NEIGHBOURS) if kind == 'random' else None


class FewerGroups(nn.Module):
    """A recogniser of fewer groups; the tokens of all come by 3-NN interpolation."""

    def __init__(self, model: Recogniser):
        super().__init__()
        self.model = model

    def forward(self, groups, centers):
        """
        Give features (B, F), class logits (B, classes) and part logits (B, c, parts).

        :param groups: (B, n, k, 3) of the first n of centers (B, c, 3).
        """
        chosen = centers[:, :groups.shape[1]]
        x = self.model.student.backbone(groups, chosen)
        features = pool(x)
        tokens = interpolation(centers, chosen) @ x
        return features, self.model.class_head(features), self.model.part_head(tokens)


def macs(network: nn.Module, groups: int, neighbours: int) -> Dict[str, float]:
    """Count the multiply-accumulates of a network that is given so many groups, see describe."""
    plain = describe.Teacher(network.backbone)
    found = describe.macs(plain, {}, None, groups, neighbours)
    back = GROUPS * groups * network.backbone.size.width
    return {**found, 'cau': found['cau'] + back, 'total': found['total'] + back}
