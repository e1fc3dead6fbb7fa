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

"""point2vec: predict what a slow copy of the encoder says of groups that are masked at random."""

import copy
from typing import Sequence

import torch
from torch import nn
import torch.nn.functional as F

from training.models.backbone import Backbone
from training.models.chance import rand
from training.models.grouping import take
from training.models.jepa import follow, spread
from training.models.transformer import Encoder


class Point2Vec(nn.Module):
    """
    Student backbone, slow teacher encoder, decoder (Abou Zeid et al. 2023, sections 3.2 and 3.3).

    The student sees the groups that are left; the decoder gets a mask token for each other one,
    so that where they are is not given away to the student.

    :param decoder: depth, heads, drop_path, dropout, attention of the decoder, as wide as it.
    :param masked: share of the groups that is hidden, drawn for each cloud.
    :param targets: blocks of the teacher, from 0, of which the targets are the mean.
    """

    def __init__(self, backbone: Backbone, decoder: dict, masked: float, targets: Sequence[int]):
        super().__init__()
        self.backbone, self.masked, self.targets = backbone, masked, tuple(targets)
        self.teacher = copy.deepcopy(backbone.encoder).requires_grad_(False)
        width = backbone.size.width
        self.decoder, self.regress = Encoder(width, **decoder), nn.Linear(width, width)
        self.mask_token = nn.Parameter(torch.empty(width))
        nn.init.trunc_normal_(self.mask_token, std=0.02, a=-0.02, b=0.02)

    def update_teacher(self, tau: float) -> None:
        """Move the teacher towards the student."""
        follow(self.teacher, self.backbone.encoder, tau)

    @torch.no_grad()
    def wanted(self, tokens: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        """Give the targets (B, c, d) of embedded tokens: layers normalised, meant, normalised."""
        self.teacher.eval()
        levels = self.teacher.levels(tokens, position, self.targets)
        shape = tokens.shape[-1:]
        mean = torch.stack([F.layer_norm(x.float(), shape) for x in levels]).mean(0)
        return F.layer_norm(mean, shape)

    def forward(self, groups: torch.Tensor, centers: torch.Tensor):
        """
        Give the loss of a batch of groups (B, c, k, 3) and centers (B, c, 3), and two monitors.

        :return: Smooth-L1 with beta 2, the spread of predictions and of targets.
        """
        tokens, position = self.backbone.tokenizer(groups), self.backbone.position(centers)
        order = rand(*centers.shape[:2], device=centers.device).argsort(1)
        count = int(self.masked * centers.shape[1])
        hidden, shown = order[:, :count], order[:, count:]
        places = take(position, shown), take(position, hidden)
        seen = self.backbone.encoder(take(tokens, shown), places[0])
        asked = self.mask_token.expand(len(seen), count, -1).to(seen.dtype)
        made = self.decoder(torch.cat([seen, asked], dim=1), torch.cat(places, dim=1))
        guess = self.regress(made[:, shown.shape[1]:]).float()
        truth = take(self.wanted(tokens, position), hidden)
        return F.smooth_l1_loss(guess, truth, beta=2.0), spread(guess), spread(truth)
