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
Specialists on cached tokens: distilled from what a fine-tuned teacher says of one task alone.

As :mod:`training.tasks.specialist` (Foundry, B.2), at the size of ``configs/small``.
"""

import copy

import torch
from torch import nn
import torch.nn.functional as F

from training.config import ConfigError
from training.models.backbone import pool
from training.models.heads import ClassHead, PartHead
from training.tasks import distill
from training.tasks.common import class_head_weights, fit, weights

HEADS = {'classes': (ClassHead, class_head_weights),
         'parts': (PartHead, lambda path: weights(path, 'model.part_head.'))}


def head_of(checkpoint, kind: str, width: int) -> nn.Module:
    """Make the head of a fine-tuned teacher for ``classes`` or ``parts``, with its weights."""
    if kind not in HEADS:
        raise ConfigError(f'specialist is {" or ".join(HEADS)}, not {kind!r}')
    make, read = HEADS[kind]
    state = read(checkpoint)
    head = make(width, len(list(state.values())[-1]))
    head.load_state_dict(state)
    return head


class Specialist(distill.Distill):
    """
    KL divergence between the logits of teacher and student for the task ``specialist``.

    The backbone stays as the teacher's; what gathers and hands back learns, and so does the head.
    """

    def __init__(self, config):
        super().__init__(config)
        self.student.backbone.requires_grad_(False)
        self.kind = config['specialist']
        self.head = head_of(config['pretrained'], self.kind, config['teacher']['width'])
        self.teachers_head = copy.deepcopy(self.head).requires_grad_(False)

    def _logits(self, head, tokens):
        """Give the logits (n, classes or parts) of rebuilt tokens (B, c, d)."""
        read = pool(tokens) if self.kind == 'classes' else tokens
        return head(read).float().flatten(0, -2)

    def training_step(self, batch, index):
        """Learn what the teacher says; nothing that is frozen moves, batch norms included."""
        groups, centers = batch['groups'], batch['centers']
        for frozen in (self.teacher, self.teachers_head, self.student.backbone):
            frozen.eval()
        with torch.no_grad():
            wanted = self._logits(self.teachers_head, self.teacher(groups, centers))
        rebuilt = self.student(groups, centers, self.config['student']['supertokens'])
        said = self._logits(self.head, rebuilt.tokens)
        loss = F.kl_div(said.log_softmax(1), wanted.log_softmax(1), reduction='batchmean',
                        log_target=True)
        self.log('loss', loss, prog_bar=True)
        return loss


def run(config, resume=False):
    """Distill; the student's weights are under ``student.`` of the checkpoint."""
    return fit(Specialist(config), resume)
