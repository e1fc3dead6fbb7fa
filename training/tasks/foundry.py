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

"""Distillation as published: Foundry and Foundry-Gate (Foundry, sections 3 and B.2, Table 6)."""

from typing import Dict

import lightning
import torch
import torch.nn.functional as F

from training.config import ConfigError
from training.models.backbone import Backbone, pool
from training.models.foundry import Foundry
from training.models.regions import RegionStudent
from training.models.student import Student
from training.tasks import budgets, distill as small
from training.tasks.common import backbone_weights, compile_backbone, fit, size_of, Task
from training.tasks.recipe import Recipe
from training.tasks.teacher_tokens import TeacherTokens

LOSSES = {'smooth_l1': F.smooth_l1_loss, 'mse': F.mse_loss}


def start_from(student: Student, teacher: Dict[str, torch.Tensor]) -> None:
    """
    Give a student the teacher's tokenizer and positions, and its encoder where that is as large.

    A ViT-T takes the first two, its projection and its encoder start at random: the paper does
    not say how, and nothing else fits.
    """
    parts = ['tokenizer', 'position']
    own = student.backbone.encoder.state_dict()
    theirs = {k[len('encoder.'):]: v for k, v in teacher.items() if k.startswith('encoder.')}
    if own.keys() == theirs.keys() and all(own[k].shape == v.shape for k, v in theirs.items()):
        parts.append('encoder')
    for part in parts:
        module = getattr(student.backbone, part)
        state = {k[len(part) + 1:]: v for k, v in teacher.items() if k.startswith(part + '.')}
        wanted = {k: v for k, v in module.state_dict().items()
                  if k in state or not k.startswith('project.')}
        if {k: v.shape for k, v in wanted.items()} != {k: v.shape for k, v in state.items()}:
            raise ConfigError(f"the student's {part} is not as large as the teacher's: look at "
                              'model and teacher of the configuration')
        module.load_state_dict(state, strict=False)


class Distill(Recipe):
    """
    Smooth-L1 (or MSE) between rebuilt and teacher tokens; a gate is also paid for fusing.

    ``gate`` of the configuration: what it is paid (lambda) and whether its weights decay. The
    teacher's tokens are what its heads read: after the final norm. A student of several budgets
    learns at some of them in each step, the summary that its class head reads too.
    """

    def __init__(self, config):
        super().__init__(config)
        self.student = small.make_student(config)
        self.teacher = Backbone(size_of(config['teacher'])).eval().requires_grad_(False)
        state = backbone_weights(config['pretrained'])
        self.teacher.load_state_dict(state)
        self.wanted = TeacherTokens(self.teacher, self.config)
        start_from(self.student, state)
        self.distance = LOSSES[config['loss']]
        self.summarised = isinstance(self.student, RegionStudent)
        self.freeze_first(self.student.backbone.encoder)
        if isinstance(self.student, Foundry) and not (self.student.gated or
                                                      self.student.positions):
            self.student.backbone.position.requires_grad_(False)  # all fused: nothing uses them
        elif self.student.gated and not config['gate']['weight_decay']:
            self.undecayed.append(self.student.gate)
        if self.config['trainer']['compile']:
            compile_backbone(self.student.backbone)
            compile_backbone(self.teacher)

    def distil(self, batch):
        """Give the distillation loss of a batch and the fusion probabilities (B, c)."""
        wanted = self.wanted(batch['groups'], batch['centers'], self.global_step)
        menu = budgets.of_step(self.config, self.global_step)
        embedded = self.student.embed(batch['groups'], batch['centers'])
        rebuilt = [self.student.rebuild(*embedded, budget) for budget in menu]
        loss = torch.stack([self.distance(r.tokens.float(), wanted) for r in rebuilt]).mean()
        if self.summarised:
            overall = pool(wanted)
            loss = loss + torch.stack([self.distance(
                r.summary[:, :overall.shape[1]].float(), overall) for r in rebuilt]).mean()
        return loss, rebuilt[0].fusable

    def training_step(self, batch, _):
        loss, fusable = self.distil(batch)
        self.log('loss', loss, prog_bar=True)
        if not self.student.gated:
            return loss
        self.log('fused', (fusable > self.student.ratio).float().mean(), prog_bar=True)
        return loss - self.config['gate']['lambda'] * fusable.sum(1).mean()

    def validation_step(self, batch, _):
        loss, fusable = self.distil(batch)
        self.log('val_loss', loss, batch_size=len(batch['groups']))
        if self.student.gated:
            fused = (fusable > self.student.ratio).float().mean()
            self.log('val_fused', fused, batch_size=len(fusable))


class DistillCached(Distill):
    """
    The same on cached tokens: the paper's way at the size of ``configs/small``.

    What class heads read is rebuilt too, as by all students that it is compared with there.
    """

    def __init__(self, config):
        super().__init__(config)
        self.summarised = True

    train_dataloader = small.Distill.train_dataloader
    val_dataloader = lightning.LightningModule.val_dataloader  # none
    on_after_batch_transfer = Task.on_after_batch_transfer  # its groups are cached


def run(config, resume=False):
    """Distill a student; its weights are under ``student.`` of the checkpoint."""
    kind = DistillCached if 'mix' in config['data'] else Distill
    return fit(kind(config), resume)
