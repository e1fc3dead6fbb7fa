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

"""Fine-tuning to parts at the points, as published (Point-JEPA, section 3.10)."""

from pathlib import Path
from typing import List

from lightning.pytorch.utilities import rank_zero_only
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from training import metrics
from training.config import ConfigError
from training.models.point_parts import mean_level, PointParts
from training.models.regions import RegionStudent
from training.tasks import budgets, reduction
from training.tasks.classify import check_classes
from training.tasks.common import fit, ready
from training.tasks.initial import head_width, levels, network, rebuild
from training.tasks.recipe import Recipe
from training.written import write_json


class Segmenter(nn.Module):
    """A network and the head that gives part logits of points, the category given."""

    def __init__(self, config):
        super().__init__()
        heads = config['heads']
        self.after = heads['levels']
        self.network = network(config)
        self.part_head = PointParts(head_width(config), heads['classes'], heads['parts'],
                                    heads['dropout'])

    def forward(self, batch, budget) -> torch.Tensor:
        """Give part logits (B, n, parts) of a grouped batch."""
        return self.each(batch, [budget])[0]

    def each(self, batch, menu) -> List[torch.Tensor]:
        """Give part logits (B, n, parts) of a grouped batch at each budget."""
        inputs = self.network, batch['groups'], batch['centers']
        if isinstance(self.network, RegionStudent):
            found = [[made.tokens] for made in rebuild(*inputs, menu)]
        else:
            found = [levels(*inputs, budget, self.after) for budget in menu]
        return [self.part_head(mean_level(each), batch['centers'], batch['points'],
                               batch['labels']) for each in found]


class Segment(Recipe):
    """
    Cross-entropy at the points; the encoder learns from epoch ``unfreeze`` on.

    A student of several budgets learns at some of them in each step.
    """

    def __init__(self, config):
        super().__init__(config)
        self.model = Segmenter(config)
        self.freeze_first(getattr(self.model.network, 'backbone', self.model.network).encoder)

    def training_step(self, batch, _):
        menu = budgets.of_step(self.config, self.global_step)
        losses = [F.cross_entropy(logits.flatten(0, 1), batch['part'].flatten())
                  for logits in self.model.each(batch, menu)]
        loss = budgets.weigh(losses, self.config.get('smaller'))
        self.log('loss', loss, prog_bar=True)
        return loss

    def validation_step(self, batch, _):
        logits = self.model(batch, None)
        self.log('point_accuracy', (logits.argmax(2) == batch['part']).float().mean(),
                 prog_bar=True, batch_size=len(logits))


def parts_of(shapes) -> List[np.ndarray]:
    """Give the part ids of each category: those that its shapes have."""
    return [np.unique(shapes.parts[shapes.labels == label])
            for label in range(len(shapes.class_names))]


@torch.no_grad()
def miou(task: Segment, variant, seed: int):
    """Measure mIoU_C and mIoU_I on the test set once, a shape over its category's parts."""
    allowed = parts_of(task.shapes(task.config['data']['train']))
    budget = reduction.budget(task.model.network, variant)
    ious, categories = [], []
    for batch in reduction.batches(task, variant, seed):
        logits = task.model(batch, budget).float().cpu().numpy()
        for row, truth, label in zip(logits, batch['part'].cpu().numpy(), batch['labels']):
            ids = allowed[int(label)]
            ious.append(metrics.part_iou(ids[row[:, ids].argmax(1)], truth, ids))
            categories.append(int(label))
    ious, categories = np.array(ious), np.array(categories)
    per_category = [ious[categories == c].mean() for c in np.unique(categories)]
    return float(np.mean(per_category)), float(ious.mean())


@rank_zero_only
def measure(task: Segment, checkpoint) -> dict:
    """Measure the plain network and what ``reduce`` asks for; write ``miou.json``."""
    ready(task, checkpoint)
    rows = {}
    for variant in reduction.variants(task.model.network, task.config):
        found = np.array([miou(task, variant, seed)
                          for seed in range(task.config['reduce']['runs'])])
        rows[variant.name] = {'miou_c': reduction.over_runs(found[:, 0]),
                              'miou_i': reduction.over_runs(found[:, 1])}
        print(f'{variant.name:12} mIoU_C {found[:, 0].mean():.4f} '
              f'mIoU_I {found[:, 1].mean():.4f}', flush=True)
    path = Path(task.config['output']) / 'miou.json'
    write_json(path, {'config': task.config, 'miou': rows})
    print(f'wrote {path}')
    return rows


def run(config, resume=False):
    """Fine-tune and measure."""
    task = Segment(config)
    check_classes(task)
    if config['heads']['parts'] != len(task.shapes(config['data']['train']).part_names or []):
        raise ConfigError(f'heads.parts is {config["heads"]["parts"]}, which is not how many '
                          f'{config["data"]["train"]} has')
    last = fit(task, resume)
    measure(task, last)
    return last
