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

"""What the published runs share: clouds drawn anew, schedules in epochs, encoders frozen first."""

import math
from typing import Any, Dict, List

import torch
from torch import nn

from training.config import ConfigError
from training.data import sets
from training.data.clouds import Augment, Clouds, grouped, loader
from training.data.shapes import Shapes
from training.tasks.common import Task
from training.tasks.optimiser import make_optimiser


def rate(at: int, total: int, warm: int, o: Dict[str, Any]) -> float:
    """
    Give a learning rate: linear warm-up, then a cosine (Foundry, Table 6).

    :param at: epoch or step of ``total``, the first ``warm`` of which warm up.
    :param o: lr, start_lr and final_lr.
    """
    if at < warm:
        return o['start_lr'] + (o['lr'] - o['start_lr']) * at / max(1, warm - 1)
    progress = (at - warm) / max(1, total - warm)
    return o['final_lr'] + (o['lr'] - o['final_lr']) * 0.5 * (1 + math.cos(progress * math.pi))


class Recipe(Task):
    """
    A run on whole clouds, as published; a task says what it learns from them.

    A task may set ``frozen``, modules that do not learn before epoch ``unfreeze`` of its
    configuration, and ``undecayed``, modules whose weights do not decay.
    """

    def __init__(self, config: Dict[str, Any]):
        super().__init__(config)
        self.frozen: List[nn.Module] = []
        self.undecayed: List[nn.Module] = []
        self._sets = {}

    def shapes(self, name: str):
        """Read a set of shapes once."""
        if name not in self._sets:
            self._sets[name] = sets.read(name, self.config['data']['root'])
        return self._sets[name]

    def give(self, name: str, shapes: Shapes) -> None:
        """Use shapes at hand as the set of that name."""
        self._sets[name] = shapes

    def train_dataloader(self):
        """Give the batches of this epoch."""
        data = self.config['data']
        return loader(Clouds(
            self.shapes(data['train']), data['batch'], self.current_epoch, self.config['seed'],
            Augment(**data['augment']), draw=data['draw'],
            part=(self.global_rank, self.trainer.world_size)), data['workers'])

    def val_dataloader(self):
        """Give the whole test set in order, without augmentation, if there is one."""
        data = self.config['data']
        if not data['test']:
            return []
        return loader(self.test_clouds(), data['workers'])

    def test_clouds(self, seed: int = 0) -> Clouds:
        """Give the test set; the seed is that of the points drawn and of their order."""
        data = self.config['data']
        return Clouds(self.shapes(data['test']), data['batch'], 0, seed, Augment(), shuffle=False,
                      draw=data['draw'])

    def on_after_batch_transfer(self, batch, _):
        """Group the clouds where the network is."""
        data = self.config['data']
        return grouped(batch, data['points'], data['groups'], data['neighbours'])

    def configure_optimizers(self):
        """The rate changes every epoch, as in the reference, or every step."""
        o, epochs = self.config['optimiser'], self.config['trainer']['epochs']
        if o['warm_up_epochs'] >= epochs:
            raise ConfigError(f'a warm-up of {o["warm_up_epochs"]} epochs leaves none of {epochs}')
        optimiser = make_optimiser(self, o, self.undecayed)
        total = epochs
        if o['changes'] == 'step':
            total = self.trainer.estimated_stepping_batches
        warm = round(o['warm_up_epochs'] * total / epochs)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda at: rate(at, total, warm, o) / o['lr'])
        return {'optimizer': optimiser,
                'lr_scheduler': {'scheduler': schedule, 'interval': o['changes']}}

    def freeze_first(self, *modules: nn.Module):
        """Keep modules as they are until epoch ``unfreeze``; where that never comes, for good."""
        if self.config['unfreeze'] >= self.config['trainer']['epochs']:
            for module in modules:
                module.requires_grad_(False)
        else:
            self.frozen = list(modules)

    def on_before_optimizer_step(self, optimizer):
        """
        Drop what frozen modules would learn: AdamW then leaves them alone, decay and all.

        Not by ``requires_grad``: distributed training has to know every gradient from the start.
        """
        if self.current_epoch < self.config.get('unfreeze', 0):
            for module in self.frozen:
                module.zero_grad(set_to_none=True)
