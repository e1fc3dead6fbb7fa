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

"""Self-supervised pretraining of the teacher with Point-JEPA, or with point2vec."""

from typing import Any, Dict, Union

from training.config import RunError
from training.data import sets
from training.data.mixture import loader
from training.models.backbone import Backbone
from training.models.jepa import PointJepa
from training.models.point2vec import Point2Vec
from training.tasks.common import Task, fit, size_of


def make(config: Dict[str, Any]) -> Union[PointJepa, Point2Vec]:
    """Make what a configuration pretrains: with a ``decoder`` point2vec, else Point-JEPA."""
    backbone = Backbone(size_of(config['model']))
    if config.get('decoder'):
        return Point2Vec(backbone, config['decoder'], config['masked'], config['targets'])
    return PointJepa(backbone, config['predictor'])


class Pretrain(Task):
    """
    Point-JEPA with its slow teacher (Point-JEPA, sections 3.4 to 3.8), or point2vec.

    ``tau`` of the configuration: how slow the teacher is at first and at last, which is reached
    after the share ``tau_until`` of the run (1 where it is not there).
    """

    def __init__(self, config):
        super().__init__(config)
        self.model = make(config)
        if self.config['trainer']['compile']:
            # Only what always sees the same shape: contexts change their length every step.
            self.model.backbone.tokenizer.compile(dynamic=False)
            for block in self.model.teacher.blocks:
                block.compile(dynamic=False)

    def train_dataloader(self):
        data, seed = self.config['data'], self.config['seed']
        return loader(sets.sources(data, seed), data['steps'], self.current_epoch, seed,
                      data['workers'])

    def training_step(self, batch, _):
        loss, predicted, wanted = self.model(batch['groups'], batch['centers'])
        self.log_dict({'loss': loss, 'spread_predicted': predicted, 'spread_wanted': wanted},
                      prog_bar=True)
        return loss

    def on_train_batch_end(self, *_):
        low, high = self.config['tau']
        steps = self.config.get('tau_until', 1.0) * self.trainer.estimated_stepping_batches
        progress = min(1.0, self.global_step / steps)
        copy = self.global_step == 1 and self.config.get('copy_first', False)
        self.model.update_teacher(0.0 if copy else low + (high - low) * progress)

    def on_train_epoch_end(self):
        """Stop a run that has collapsed: everything then looks alike and the loss is small."""
        least = self.config.get('collapse')
        if not least or self.current_epoch < least['from_epoch']:
            return
        for name in ('spread_predicted', 'spread_wanted'):
            found = float(self.trainer.callback_metrics[name])
            if found < least[name]:
                raise RunError(f'collapsed in epoch {self.current_epoch}: {name} is {found:.4f}, '
                               f'below {least[name]}; try a smaller optimiser.lr or another seed')


def run(config, resume=False):
    """Pretrain a teacher; its weights are under ``model.backbone.`` of the checkpoint."""
    return fit(Pretrain(config), resume)
