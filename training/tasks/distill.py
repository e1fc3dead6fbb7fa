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

"""Distillation: the student rebuilds the frozen teacher's tokens, at every budget."""

import random
from typing import List, Union

import torch
from torch import nn
import torch.nn.functional as F

from training.config import ConfigError
from training.data import sets
from training.data.mixture import loader
from training.models.backbone import Backbone, pool
from training.models.foundry import Foundry
from training.models.reduced import make as make_reduced, Reduced
from training.models.regions import RegionStudent
from training.models.student import Student
from training.tasks.common import (backbone_weights, compile_backbone, fit, region_weights,
                                   size_of, Task)
from training.tasks.teacher_tokens import TeacherTokens


def make_student(config) -> Union[Student, RegionStudent, Reduced]:
    """
    Make the student that a configuration describes.

    ``reduce`` names one by other means than supertokens, ``gate`` one as published, and the
    assignment ``regions`` one whose tokens are regions.

    :raises ConfigError: its parts do not go together.
    """
    try:
        return _make(config['student'], size_of(config['model']), config['teacher']['width'])
    except ValueError as error:
        raise ConfigError(str(error)) from None
    except KeyError as error:
        raise ConfigError(f'student lacks {error}, which one of its kind needs') from None


def _make(s, size, width):
    """Make a student of its section of the configuration and a teacher's width."""
    if 'reduce' in s:
        return make_reduced(size, width, s)
    if s.get('gate') is not None:
        known = ('supertokens', 'gate', 'ratio', 'content', 'temperature', 'start', 'positions')
        return Foundry(size, width, **{k: s[k] for k in known if k in s})
    if s['assignment'] == 'regions':
        return RegionStudent(size, width, s['pooled'], s['encode'], s['residual'],
                             s.get('early', 0))
    if s['assignment'] != 'hard':
        raise ConfigError(f"student.assignment is regions or hard, not {s['assignment']!r}")
    return Student(size, width, s['supertokens'], s['positions'], s['encode'],
                   s.get('start', 'random'))


class Distill(Task):
    """
    Smooth-L1 between rebuilt and teacher tokens, at a budget drawn at random and those beside it.

    The gate learns which tokens are rebuilt well when they are fused: at budgets that fuse all
    tokens its target is the rank of each token's error, 1 for the best rebuilt.
    """

    def __init__(self, config):
        super().__init__(config)
        self.student = make_student(config)
        self.teacher = Backbone(size_of(config['teacher'])).eval().requires_grad_(False)
        self.teacher.load_state_dict(backbone_weights(config['pretrained']))
        self.wanted = TeacherTokens(self.teacher, self.config)
        self.kept = []
        if config['student']['from_teacher']:
            self.kept = start_from(self.student, config['pretrained'],
                                   config['student']['from_teacher'])
        if self.config['trainer']['compile']:
            compile_backbone(self.student.backbone)
            compile_backbone(self.teacher)

    def train_dataloader(self):
        data, seed = self.config['data'], self.config['seed']
        return loader(sets.sources(data, seed), data['steps'], self.current_epoch, seed,
                      data['workers'])

    def training_step(self, batch, index):
        groups, centers = batch['groups'], batch['centers']
        for module in self.kept:
            module.eval()
        wanted = self.wanted(groups, centers, self.global_step)
        drawn = random.Random(f'{self.config["seed"]} {self.global_step}').choice(
            self.config['student']['budgets'])
        embedded, losses = self.student.embed(groups, centers), []
        for budget in sorted({drawn, *self.config['beside']}):
            rebuilt = self.student.rebuild(*embedded, budget)
            losses.append(self._distance(rebuilt, wanted, budget))
        loss = torch.stack(losses).mean()
        self.log('loss', loss)
        return loss

    def _distance(self, rebuilt, wanted, budget):
        """Say how far rebuilt tokens and summaries are from the teacher's tokens (B, c, d)."""
        error = F.smooth_l1_loss(rebuilt.tokens.float(), wanted, reduction='none').mean(-1)
        loss, overall = error.mean(), pool(wanted)
        self.log(f'loss_{budget}', loss)
        # What class heads read of the encoder is rebuilt too; the student's own opinion, if it has
        # one, is the teacher's already.
        summary = rebuilt.summary[:, :overall.shape[1]].float()
        loss = loss + F.smooth_l1_loss(summary, overall)
        if isinstance(self.student, Student) and budget <= self.student.supertokens.count:
            loss = loss + gate_loss(rebuilt.fusable, error)
        return loss


def start_from(student: nn.Module, checkpoint, what) -> List[nn.Module]:
    """
    Begin with the teacher's weights.

    Where student and teacher are both of regions, what treats a group alike at every
    budget is the teacher's and stays so while distilling: it is as good as it was, and costs less.

    :param checkpoint: of the teacher.
    :param what: true for all of them; ``encoder`` where tokenizers differ, ``shared`` for what
        both have of a backbone and no more: a student may have more blocks or other early ones.
    :return: the parts that do not learn.
    """
    both = isinstance(student, RegionStudent) and what is True
    whole = region_weights(checkpoint, student) if both else {}
    if whole:
        student.load_state_dict(whole, strict=False)  # a control lacks some of it
        for part in student.untouched():
            part.requires_grad_(False)
        return student.untouched()
    state = {k: v for k, v in backbone_weights(checkpoint).items()
             if what != 'encoder' or not k.startswith('tokenizer.')}
    student.backbone.load_state_dict(state, strict=what not in ('encoder', 'shared'))
    return []


def gate_loss(fusable: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
    """
    Teach the gate the rank of each token's error when fused.

    :param fusable: (B, c) of the gate. :param error: (B, c).
    """
    rank = error.detach().argsort(1).argsort(1).float()
    target = 1 - rank / (error.shape[1] - 1)
    return F.binary_cross_entropy(fusable.clamp(1e-6, 1 - 1e-6), target)


def run(config, resume=False):
    """Distill a student; its weights are under ``student.`` of the checkpoint."""
    return fit(Distill(config), resume)
