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

"""Heads that read the rebuilt tokens: the class of the object, the part of each group."""

from typing import List, Tuple

import torch
from torch import nn

from training.models.backbone import pool
from training.models.chance import Dropout


class ClassHead(nn.Sequential):
    """[max, mean] of the tokens (B, 2 d) to class logits (Point-JEPA, section 3.10)."""

    def __init__(self, width: int, classes: int, hidden: int = 256, dropout: float = 0.5):
        super().__init__(
            nn.Linear(2 * width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
            Dropout(dropout),
            nn.Linear(hidden, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
            Dropout(dropout), nn.Linear(hidden, classes))

    def learning(self, summary: torch.Tensor) -> List[torch.Tensor]:
        """Give the class logits (B, classes) that learn; the last are what is said."""
        return [self(summary)]


class TwoClassHeads(nn.Module):
    """
    What the encoder's tokens say of the class, weighed with what the student's own tokens say.

    The second needs no encoder. Each has a loss of its own: learned together, the
    encoder would be left with what the other, which is learned sooner, does not know yet. How far
    the encoder is trusted is learned too, and grows with the tokens it saw.

    :param width: of either part of a summary; the last column is the logarithm of the tokens that
        the encoder saw, 0 for one and 1 for all.
    """

    def __init__(self, width: int, classes: int, dropout: float = 0.5):
        super().__init__()
        self.width = width
        self.encoded = ClassHead(width // 2, classes, dropout=dropout)
        self.own = ClassHead(width // 2, classes, dropout=dropout)
        self.trust = nn.Linear(1, 1)
        nn.init.ones_(self.trust.weight)
        nn.init.zeros_(self.trust.bias)

    def opinions(self, summary: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        """Give the class logits of the encoder's tokens and of the student's own."""
        encoded, own = summary[:, :-1].split(self.width, dim=1)
        return self.encoded(encoded), self.own(own)

    def weigh(self, summary: torch.Tensor, opinions) -> torch.Tensor:
        """Give the class logits (B, classes) that both opinions come to."""
        encoded, own = opinions
        return own + self.trust(summary[:, -1:]).sigmoid() * (encoded - own)

    def learning(self, summary: torch.Tensor) -> List[torch.Tensor]:
        """
        Give the class logits (B, classes) that learn, the encoder's first, what is said last.

        How they are weighed is learned on its own and changes neither.
        """
        opinions = [logits.float() for logits in self.opinions(summary)]
        return [*opinions, self.weigh(summary, [logits.detach() for logits in opinions])]

    def forward(self, summary: torch.Tensor) -> torch.Tensor:
        """Map a summary (B, 2 width + 1) to class logits (B, classes)."""
        return self.weigh(summary, self.opinions(summary))


def make_class_head(widths, classes: int, dropout: float) -> nn.Module:
    """Make the head for a summary of one part or of two."""
    if len(widths) > 1:
        return TwoClassHeads(widths[0], classes, dropout)
    return ClassHead(widths[0] // 2, classes, dropout=dropout)


class PartHead(nn.Module):
    """
    Part logits of each group; the robot carries them to the points.

    The paper's head works on points and costs as much as the tokenizer; this one works on the 64
    groups, at a hundredth of that.
    """

    def __init__(self, width: int, parts: int, hidden: int = 256, dropout: float = 0.3):
        super().__init__()
        self.local = nn.Linear(width, hidden)
        self.overall = nn.Linear(2 * width, hidden)
        self.rest = nn.Sequential(nn.LayerNorm(hidden), nn.GELU(), Dropout(dropout),
                                  nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, parts))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map rebuilt tokens (B, c, d) to part logits (B, c, parts)."""
        return self.rest(self.local(tokens) + self.overall(pool(tokens))[:, None])
