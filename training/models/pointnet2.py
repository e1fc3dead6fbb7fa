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


"""PointNet++, single scale, for classes (Qi et al. 2017, section 3 and appendix B), to compare."""

import torch
from torch import nn

from training.models.grouping import take


def shared(*widths: int) -> nn.Sequential:
    """Make an MLP on points in rows."""
    return nn.Sequential(*(layer for before, after in zip(widths, widths[1:]) for layer in (
        nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU())))


class PointNet2(nn.Module):
    """
    Two levels of groups, then the whole; grouping is given, as tokens are to the student.

    Modifications: groups of nearest neighbours stand for balls of the same number of points.
    """

    inputs = {'near_groups': (512, 32, 3), 'far_groups': (128, 64, 3), 'far_members': (128, 64)}

    def __init__(self, classes: int):
        super().__init__()
        self.near, self.far = shared(3, 64, 64, 128), shared(3 + 128, 128, 128, 256)
        self.whole = shared(3 + 256, 256, 512, 1024)
        self.head = nn.Sequential(*shared(1024, 512), nn.Dropout(0.5), *shared(512, 256),
                                  nn.Dropout(0.5), nn.Linear(256, classes))

    def forward(self, near_groups, far_groups, far_members):
        """
        Give class logits (B, classes).

        :param near_groups: (B, 512, 32, 3) around centres. :param far_groups: (B, 128, 64, 3) of
            those centres. :param far_members: (B, 128, 64) float, which of the 512 they are.
        """
        x = pooled(self.near, near_groups)
        members = far_members.flatten(1).long()
        x = take(x, members).view(*far_groups.shape[:3], x.shape[-1])
        x = pooled(self.far, torch.cat([far_groups, x], dim=-1))
        # The offset of a group's first member stands for its centre: it costs the same.
        x = pooled(self.whole, torch.cat([far_groups[:, :, 0], x], dim=-1)[:, None])
        return self.head(x[:, 0])


def pooled(layers: nn.Sequential, groups: torch.Tensor) -> torch.Tensor:
    """Map groups (B, c, k, d) to their maxima (B, c, width) after an MLP on points."""
    x = layers(groups.reshape(-1, groups.shape[-1]))
    return x.view(*groups.shape[:3], x.shape[-1]).amax(2)
