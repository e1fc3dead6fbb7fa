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

"""Fine-tuning: heads on a student, for classes and parts, at every budget."""

import random

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from training.data import sets, vocabulary
from training.data.mixture import Source, loader
from training.models.heads import make_class_head, PartHead, TwoClassHeads
from training.models.student import Student
from training.tasks.common import Task, compile_backbone, fit, mean_over_all, weights
from training.tasks.distill import make_student


class Recogniser(nn.Module):
    """A student with its heads: what is exported."""

    def __init__(self, student: Student, width: int, classes: int, parts: int,
                 dropout: float = 0.0):
        super().__init__()
        self.student = student
        self.class_head = make_class_head(student.summary_widths, classes, dropout)
        self.part_head = PartHead(width, parts)


class Finetune(Task):
    """
    Cross-entropy on classes and parts, uniform scores on outliers, a random budget each step.

    :param config: ``distilled`` names a distilled checkpoint; empty trains on labels only.
    """

    def __init__(self, config):
        super().__init__(config)
        root = config['data']['root']
        modelnet, parts = sets.read('modelnet40_train', root), sets.read('parts_train', root)
        names = vocabulary.classes(modelnet, parts)
        student = make_student(config)
        if config['distilled']:
            student.load_state_dict(weights(config['distilled'], 'student.'))
        if hasattr(student, 'gate'):
            student.gate.requires_grad_(False)  # it learns from distillation alone
        self.model = Recogniser(student, config['teacher']['width'], len(names),
                                len(parts.part_names), config['heads']['dropout'])
        self.vocabulary = {'names': names, 'modelnet40': vocabulary.labels(modelnet, names),
                           'parts': vocabulary.labels(parts, names)}
        category = np.array([n.split('/')[0] for n in parts.part_names])
        self.register_buffer('same_category', torch.from_numpy(category[:, None] == category),
                             persistent=False)
        if config['trainer']['compile']:
            compile_backbone(student.backbone)

    def train_dataloader(self):
        data = self.config['data']
        return loader(self._sources(), data['steps'], self.current_epoch, self.config['seed'],
                      data['workers'])

    def _sources(self):
        """Say what a batch is made of; the part set comes last."""
        data, known = self.config['data'], self.vocabulary
        mix = data['mix']
        modelnet = sets.tokens('modelnet40_train', data)
        outside = vocabulary.outlier_labels(sets.read('infomr', data['root']), held_out=False)
        infomr = sets.tokens('infomr', data)
        made = sets.tokens('simulated', data)
        made_names = vocabulary.labels(sets.read('simulated', data['root']), known['names'])
        single = np.asarray(modelnet.single_view)
        balance = data['balance']
        return [
            Source(modelnet, mix['whole'], known['modelnet40'], rows=np.flatnonzero(~single),
                   balance=balance),
            Source(modelnet, mix['single_view'], known['modelnet40'], rows=np.flatnonzero(single),
                   balance=balance),
            Source(made, mix['simulated'], made_names),
            Source(infomr, mix['outliers'], outside,
                   rows=np.flatnonzero(outside[np.asarray(infomr.labels)] == -2)),
            Source(sets.tokens('parts_train', data), mix['parts'], known['parts'], parts=True)]

    def training_step(self, batch, _):
        """
        Learn at a budget drawn at random, and beside it at the largest, on the same tokens.

        The smaller one also learns what the larger one says (the sandwich rule of slimmable
        networks, Yu and Huang 2019); the tokenizer, much of the cost, is paid once.
        """
        budgets, odds = zip(*self.config['budgets'].items())
        drawn = random.Random(f'{self.config["seed"]} {self.global_step}').choices(budgets, odds)
        embedded = self.model.student.embed(batch['groups'], batch['centers'])
        menu = sorted({*drawn, self.config['beside'] or drawn[0]}, reverse=True)
        rebuilt = [self.model.student.rebuild(*embedded, b) for b in menu]
        summary = torch.cat([r.summary for r in rebuilt])
        logits = self.model.class_head(summary).float()
        labels, w = batch['labels'].repeat(len(menu)), self.config['loss']
        known, outlier = labels >= 0, labels == -2
        classes = mean_over_all(F.cross_entropy(
            logits[known], labels[known], label_smoothing=w['smoothing'], reduction='none'))
        loss = classes - w['outliers'] * mean_over_all(logits[outlier].log_softmax(1))
        if isinstance(self.model.class_head, TwoClassHeads):
            alone = self.model.class_head.encoder_alone(summary).float()
            loss = loss + w['encoder_alone'] * mean_over_all(F.cross_entropy(
                alone[known], labels[known], label_smoothing=w['smoothing'], reduction='none'))
        if len(menu) == 2:
            larger, smaller = (x.log_softmax(1) for x in logits.chunk(2))
            said = F.kl_div(smaller, larger.detach(), reduction='batchmean', log_target=True)
            loss = loss + w['self_distillation'] * said
        if 'part' in batch:
            part = torch.stack([self._part_loss(r.tokens[-len(batch['part']):], batch)
                                for r in rebuilt]).mean()
            loss = loss + w['parts'] * part
            self.log('parts', part)
        hits = (logits.argmax(1) == labels).view(len(menu), -1)[:, batch['labels'] >= 0]
        self.log_dict({'loss': classes, 'accuracy': hits[0].float().mean(),
                       'accuracy_smaller': hits[-1].float().mean()}, prog_bar=True)
        return loss

    def _part_loss(self, tokens, batch):
        """Cross-entropy at the points, among the parts of the shape's own category."""
        logits = self.model.part_head(tokens).float()
        rows = torch.arange(len(logits), device=logits.device)[:, None, None]
        at_points = (logits[rows, batch['near']] * batch['weight'][..., None]).sum(2)
        allowed = self.same_category[batch['part'][:, 0]][:, None]
        at_points = at_points.masked_fill(~allowed, -1e4)
        return mean_over_all(F.cross_entropy(at_points.flatten(0, 1), batch['part'].flatten(),
                                             reduction='none'))


def run(config, resume=False):
    """Fine-tune; the weights are under ``model.`` of the checkpoint."""
    return fit(Finetune(config), resume)
