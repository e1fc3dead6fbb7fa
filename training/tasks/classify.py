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

"""Fine-tuning to the classes of one set, as published (Point-JEPA, section 3.10)."""

from pathlib import Path
from typing import List

from lightning.pytorch.utilities import rank_zero_only
import torch
from torch import nn
import torch.nn.functional as F

from training.config import ConfigError
from training.models.heads import make_class_head
from training.tasks import budgets, reduction
from training.tasks.common import fit, ready
from training.tasks.initial import head_width, network, summarise
from training.tasks.recipe import Recipe
from training.written import write_json


class Classifier(nn.Module):
    """A network and the head that reads [max, mean] of its tokens."""

    def __init__(self, config):
        super().__init__()
        heads = config['heads']
        self.network = network(config)
        widths = getattr(self.network, 'summary_widths', (2 * head_width(config),))
        self.class_head = make_class_head(widths, heads['classes'], heads['dropout'])

    def forward(self, batch, budget) -> torch.Tensor:
        """Give class logits (B, classes) of a grouped batch; budget as for :func:`encode`."""
        return self.class_head(self.summarise(batch, [budget])[0])

    def summarise(self, batch, menu) -> List[torch.Tensor]:
        """Give what the head reads at each budget."""
        return summarise(self.network, batch['groups'], batch['centers'], menu)


class Classify(Recipe):
    """
    Cross-entropy with label smoothing; the encoder learns from epoch ``unfreeze`` on.

    A student of several budgets learns at some of them in each step.
    """

    def __init__(self, config):
        super().__init__(config)
        self.model = Classifier(config)
        self.freeze_first(getattr(self.model.network, 'backbone', self.model.network).encoder)

    def training_step(self, batch, _):
        menu = budgets.of_step(self.config, self.global_step)
        # All budgets at once: the norms of the heads have to fit all of them.
        learning = self.model.class_head.learning(torch.cat(self.model.summarise(batch, menu)))
        losses = [sum(F.cross_entropy(logits, batch['labels'],
                                      label_smoothing=self.config['heads']['smoothing'])
                      for logits in opinions)
                  for opinions in zip(*(logits.chunk(len(menu)) for logits in learning))]
        loss = budgets.weigh(losses, self.config.get('smaller'))
        self.log('loss', loss, prog_bar=True)
        return loss

    def validation_step(self, batch, _):
        guess = self.model(batch, None).argmax(1)
        self.log('accuracy', (guess == batch['labels']).float().mean(), prog_bar=True,
                 batch_size=len(guess))


def check_classes(task: Recipe) -> None:
    """Refuse a set whose classes are not as many as the configuration says."""
    name, said = task.config['data']['train'], task.config['heads']['classes']
    found = len(task.shapes(name).class_names)
    if said != found:
        raise ConfigError(f'heads.classes is {said}, but {name} has {found} classes')


@torch.no_grad()
def accuracy(task: Classify, variant, seed: int) -> float:
    """Measure overall accuracy on the test set once."""
    budget = reduction.budget(task.model.network, variant)
    hits = [task.model(batch, budget).argmax(1) == batch['labels']
            for batch in reduction.batches(task, variant, seed)]
    return float(torch.cat(hits).float().mean())


@rank_zero_only
def measure(task: Classify, checkpoint) -> dict:
    """Measure the plain network and what ``reduce`` asks for; write ``accuracy.json``."""
    ready(task, checkpoint)
    rows = {}
    for variant in reduction.variants(task.model.network, task.config):
        row = reduction.over_runs([accuracy(task, variant, seed)
                                   for seed in range(task.config['reduce']['runs'])])
        rows[variant.name] = row
        print(f'{variant.name:12} accuracy {row["mean"]:.4f} ± {row["std"]:.4f}', flush=True)
    path = Path(task.config['output']) / 'accuracy.json'
    write_json(path, {'config': task.config, 'accuracy': rows})
    print(f'wrote {path}')
    return rows


def run(config, resume=False):
    """Fine-tune and measure."""
    task = Classify(config)
    check_classes(task)
    last = fit(task, resume)
    measure(task, last)
    return last
