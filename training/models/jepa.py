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

"""Point-JEPA: predict what a slow copy of the encoder says of blocks that are not shown."""

import copy

import torch
from torch import nn
import torch.nn.functional as F

from training.models.backbone import Backbone
from training.models.transformer import Encoder, Position


def sequence(centers: torch.Tensor) -> torch.Tensor:
    """
    Order centres greedily: from the smallest x + y + z always to the nearest not yet visited.

    :param centers: (B, c, 3).
    :return: (B, c) int64, a permutation a sample (Point-JEPA, section 3.4).
    """
    batch, count, _ = centers.shape
    distance = torch.cdist(centers, centers)
    rows = torch.arange(batch, device=centers.device)
    last = centers.sum(-1).argmin(1)
    order = [last]
    for _ in range(count - 1):
        distance[rows, :, last] = torch.inf
        last = distance[rows, last].argmin(1)
        order.append(last)
    return torch.stack(order, dim=1)


def sample_blocks(count: int, blocks: int = 4, target=(0.15, 0.20), context=(0.40, 0.75)):
    """
    Draw target blocks and the context in the sequence, the same for every sample of a batch.

    :return: targets (blocks, t) and context (m,) int64 positions; no target is in the context.
    """
    length = max(1, int(count * torch.empty(()).uniform_(*target)))
    start = torch.randint(0, count - length + 1, (blocks, 1))
    targets = start + torch.arange(length)
    rest = torch.ones(count, dtype=torch.bool)
    rest[targets.flatten()] = False
    rest = rest.nonzero().flatten()
    length = max(1, int(len(rest) * torch.empty(()).uniform_(*context)))
    start = torch.randint(0, len(rest) - length + 1, ()).item()
    return targets, rest[start:start + length]


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, tau: float) -> None:
    """Move a slow copy of a network towards it: slow = tau slow + (1 - tau) fast."""
    for old, new in zip(slow.parameters(), fast.parameters()):
        old.lerp_(new, 1 - tau)


def spread(tokens: torch.Tensor) -> torch.Tensor:
    """Give how far tokens (B, t, d) lie apart, a channel over all of them: near 0 collapsed."""
    return tokens.flatten(0, 1).std(0).mean()


class Predictor(nn.Module):
    """Narrow transformer that predicts target tokens from context tokens and target places."""

    def __init__(self, width: int, inner: int, depth: int, heads: int, drop_path: float,
                 dropout: float, attention: float = 0.0):
        super().__init__()
        self.narrow, self.widen = nn.Linear(width, inner), nn.Linear(inner, width)
        self.position = Position(inner)
        self.mask_token = nn.Parameter(torch.zeros(inner))
        self.encoder = Encoder(inner, depth, heads, dropout=dropout, attention=attention)
        for block in self.encoder.blocks:  # constant over depth, as the reference trains it
            block.drop_path = drop_path

    def forward(self, context, context_centers, target_centers):
        """Predict (B, t, width) at target_centers (B, t, 3) from context (B, m, width)."""
        seen = self.narrow(context) + self.position(context_centers)
        asked = self.mask_token + self.position(target_centers)
        x = self.encoder(torch.cat([seen, asked], dim=1))
        return self.widen(x[:, seen.shape[1]:])


class PointJepa(nn.Module):
    """
    Student backbone, slow teacher encoder and predictor (Point-JEPA, sections 3.4 to 3.7).

    :param predictor: width, depth, heads, drop_path, dropout and, where there is any, attention
        (dropout) of the predictor.
    """

    def __init__(self, backbone: Backbone, predictor: dict):
        super().__init__()
        self.backbone = backbone
        self.teacher = copy.deepcopy(backbone.encoder).requires_grad_(False)
        inner = dict(predictor)
        self.predictor = Predictor(backbone.size.width, inner.pop('width'), **inner)

    def update_teacher(self, tau: float) -> None:
        """Move the teacher towards the student."""
        follow(self.teacher, self.backbone.encoder, tau)

    def forward(self, groups, centers):
        """
        Give the loss of a batch of groups (B, c, k, 3) and centers (B, c, 3), and two monitors.

        :return: Smooth-L1 with beta 2, the :func:`spread` of predictions and of targets.
        """
        rows = torch.arange(len(centers), device=centers.device)[:, None]
        order = sequence(centers)
        groups, centers = groups[rows, order], centers[rows, order]
        tokens, position = self.backbone.tokenizer(groups), self.backbone.position(centers)
        with torch.no_grad():
            self.teacher.eval()
            wanted = self.teacher(tokens, position, norm=False).float()
            wanted = F.layer_norm(wanted, wanted.shape[-1:])
        targets, context = sample_blocks(centers.shape[1])
        seen = self.backbone.encoder(tokens[:, context], position[:, context])
        # The blocks do not see each other: they go through the predictor as one larger batch.
        blocks, length = targets.shape
        asked = centers[:, targets].transpose(0, 1).flatten(0, 1)
        guess = self.predictor(seen.repeat(blocks, 1, 1),
                               centers[:, context].repeat(blocks, 1, 1), asked).float()
        truth = wanted[:, targets].transpose(0, 1).flatten(0, 1)
        return F.smooth_l1_loss(guess, truth, beta=2.0), spread(guess), spread(truth)
