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
from typing import Dict

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from training.config import ConfigError
from training.data import sets, vocabulary
from training.data.cutmix import cutmix
from training.data.mixture import Source, loader
from training.models.heads import make_class_head, PartHead, TwoClassHeads
from training.models.regions import RegionStudent
from training.models.student import Student
from training.tasks import budgets
from training.tasks.common import (backbone_weights, class_head_weights, compile_backbone, fit,
                                   mean_over_all, region_weights, student_of, Task, weights)
from training.tasks.distill import make_student


class Recogniser(nn.Module):
    """A student with its heads: what is exported."""

    def __init__(self, student: Student, width: int, classes: int, parts: int,
                 dropout: float = 0.0, part_hidden: int = 256):
        super().__init__()
        self.student = student
        self.class_head = make_class_head(student.summary_widths, classes, dropout)
        self.part_head = PartHead(width, parts, part_hidden)


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
            begin(student, config['distilled'])
        if hasattr(student, 'gate'):
            student.gate.requires_grad_(False)  # it learns from distillation alone
        self.model = Recogniser(student, config['teacher']['width'], len(names),
                                len(parts.part_names), config['heads']['dropout'],
                                config['heads']['part_hidden'])
        if config['heads']['begin']:
            begin_heads(self.model, config['heads']['begin'])
        self.vocabulary = {'names': names, 'modelnet40': vocabulary.labels(modelnet, names),
                           'parts': vocabulary.labels(parts, names)}
        category = np.array([n.split('/')[0] for n in parts.part_names])
        self.register_buffer('same_category', torch.from_numpy(category[:, None] == category),
                             persistent=False)
        if self.config['trainer']['compile']:
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
        Learn at a budget drawn at random and at those beside it, on the same tokens.

        The smaller ones also learn what the largest says (the sandwich rule of slimmable
        networks, Yu and Huang 2019) and weigh less in all, or they would take the encoder from it.
        The tokenizer is paid once.
        """
        batch, share = self._mixed(batch)
        batch = self._seen(batch)
        groups = batch['centers'].shape[1]
        menu = [b and min(b, groups) for b in budgets.of_step(self.config, self.global_step)]
        embedded = self.model.student.embed(batch['groups'], batch['centers'])
        rebuilt = [self.model.student.rebuild(*embedded, b) for b in menu]
        # All budgets at once: the norms of the heads have to fit all of them.
        opinions = self.model.class_head.learning(torch.cat([r.summary for r in rebuilt]))
        opinions = list(zip(*(logits.float().chunk(len(menu)) for logits in opinions)))
        said = [o[-1] for o in opinions]
        largest = said[0].detach().log_softmax(1)
        losses = [self._class_loss(o, batch['labels']) for o in opinions]
        if share:
            losses = [(1 - share) * a + share * self._class_loss(o, batch['mixed_in'])
                      for a, o in zip(losses, opinions)]
        losses = [a + self._told(o[:2], largest) * (b != menu[0])
                  for a, o, b in zip(losses, opinions, menu)]
        if 'part' in batch:
            parts = [self._part_loss(r.tokens[-len(batch['part']):], batch) for r in rebuilt]
            losses = [a + self.config['loss']['parts'] * b for a, b in zip(losses, parts)]
            self.log('parts', parts[0])
        known = batch['labels'] >= 0
        first, last = (mean_over_all((x.argmax(1) == batch['labels']).float(), known)
                       for x in (said[0], said[-1]))
        self.log_dict({'loss': losses[0], 'accuracy': first, 'accuracy_smaller': last},
                      prog_bar=True)
        return budgets.weigh(losses, self.config['loss']['smaller'])

    def _mixed(self, batch):
        """
        Mix named clouds of a batch, by the odds of ``data.cutmix``; those with parts stay whole.

        :return: a batch with the labels of what was mixed in, and how much that is of a cloud.
        """
        chance = random.Random(f'mixed {self.config["seed"]} {self.global_step}')
        if chance.random() >= self.config['data']['cutmix']:
            return batch, 0.0
        plain = batch['labels'][:len(batch['labels']) - len(batch.get('part', ()))]
        named = torch.nonzero(plain >= 0)[:, 0]
        count, groups = len(named), batch['centers'].shape[1]
        # Of a generator of their own: how many clouds are named differs between processes, and
        # what is drawn later has to be the same in all of them.
        own = torch.Generator().manual_seed(chance.getrandbits(62))
        other, pivot = (x.to(named.device) for x in (
            torch.randperm(count, generator=own), torch.randint(groups, (count,), generator=own)))
        taken = chance.randint(1, groups // 2)
        mixed = {'mixed_in': batch['labels'].clone()}
        mixed['mixed_in'][named] = batch['labels'][named[other]]
        for key, value in zip(('groups', 'centers'), cutmix(
                batch['groups'][named], batch['centers'][named], other, pivot, taken)):
            mixed[key] = batch[key].clone()
            mixed[key][named] = value
        return {**batch, **mixed}, taken / groups

    def _seen(self, batch):
        """
        Keep the first groups of each cloud, as many as the odds of ``data.seen`` say.

        They are spread over the cloud: what learns from them names an object of which a small
        budget looks at a part. A batch that lacks groups is not learned parts from, whose points
        lie between all of them.
        """
        counts, odds = zip(*self.config['data']['seen'].items())
        count, = random.Random(f'seen {self.config["seed"]} {self.global_step}').choices(counts,
                                                                                         odds)
        if count >= batch['centers'].shape[1]:
            return batch
        left = {k: v for k, v in batch.items() if k not in ('part', 'near', 'weight')}
        return {**left, **{k: batch[k][:, :count] for k in ('groups', 'centers')}}

    def _class_loss(self, opinions, labels):
        """Cross-entropy of each head with the labels, uniform scores on outliers."""
        w, known, outlier = self.config['loss'], labels >= 0, labels == -2
        return sum(
            mean_over_all(F.cross_entropy(logits, labels.clamp(min=0), reduction='none',
                                          label_smoothing=w['smoothing']), known)
            - w['outliers'] * mean_over_all(logits.log_softmax(1).mean(1), outlier)
            for logits in opinions)

    def _told(self, smaller, largest):
        """Say how far the opinions at a smaller budget are from what the largest comes to."""
        said = sum(F.kl_div(logits.log_softmax(1), largest, reduction='batchmean',
                            log_target=True) for logits in smaller)
        return self.config['loss']['self_distillation'] * said

    def _part_loss(self, tokens, batch):
        """Cross-entropy at the points, among the parts of the shape's own category."""
        logits = self.model.part_head(tokens).float()
        rows = torch.arange(len(logits), device=logits.device)[:, None, None]
        at_points = (logits[rows, batch['near']] * batch['weight'][..., None]).sum(2)
        allowed = self.same_category[batch['part'][:, 0]][:, None]
        at_points = at_points.masked_fill(~allowed, -1e4)
        return mean_over_all(F.cross_entropy(at_points.flatten(0, 1), batch['part'].flatten(),
                                             reduction='none'))


def begin(student: nn.Module, checkpoint) -> None:
    """Begin with a distilled student, a teacher of its kind, or a backbone where that is all."""
    state = weights(checkpoint, 'student.')
    teacher = {} if state or not isinstance(student, RegionStudent) else \
        region_weights(checkpoint, student)
    if state:
        student.load_state_dict(state)
    elif teacher:  # it sees all tokens: of what rebuilds those of regions it has learned nothing
        missing = student.load_state_dict(teacher, strict=False).missing_keys
        lacking = [key for key in missing if not key.startswith('upsample.')]
        if lacking:
            raise ConfigError(f'{checkpoint} lacks {lacking[0]} of the student')
    else:
        student.backbone.load_state_dict(backbone_weights(checkpoint))


def begin_heads(model: Recogniser, checkpoint) -> None:
    """
    Begin with the heads of a checkpoint, or the one class head that both sides have.

    :raises ConfigError: they have none in common.
    """
    found, head, student = class_heads(checkpoint), model.class_head, model.student
    # Without an encoder and with the teacher's early blocks its summary is the teacher's own
    # opinion; with others it was distilled to be like what the encoder's tokens say.
    own = isinstance(student, RegionStudent) and not student.encode and \
        student.early == student_of(checkpoint).get('early', 0)
    wanted = 'both' if isinstance(head, TwoClassHeads) else 'own' if own else 'encoded'
    if wanted in found:
        head.load_state_dict(found[wanted])
        model.part_head.load_state_dict(weights(checkpoint, 'model.part_head.'))
    else:
        raise ConfigError(f'{checkpoint} has no class head of the kind that the student has '
                          f"({wanted}): heads.begin names a teacher of its kind, or is ''")


def class_heads(checkpoint) -> Dict[str, Dict[str, torch.Tensor]]:
    """Read the class heads of a checkpoint: ``encoded``, ``own`` (of tokens), ``both``."""
    state = weights(checkpoint, 'model.class_head.')
    if 'trust.weight' in state:
        return {'both': state, 'encoded': class_head_weights(checkpoint),
                'own': weights(checkpoint, 'model.class_head.own.')}
    return {'encoded' if student_of(checkpoint).get('encode', True) else 'own': state}


def run(config, resume=False):
    """Fine-tune; the weights are under ``model.`` of the checkpoint."""
    return fit(Finetune(config), resume)
