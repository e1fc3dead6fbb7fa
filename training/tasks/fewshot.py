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

"""Few-shot classification: way × shot × folds, all weights fine-tuned (Point-JEPA, 3.10)."""

import copy
import json
from pathlib import Path

from training.config import ConfigError
from training.data import folds, sets
from training.tasks.classify import accuracy, Classify
from training.tasks.common import fit, ready
from training.tasks.reduction import KINDS, over_runs, Variant
from training.written import write_json


def one_fold(config, pair, way: int, shot: int, fold: int, resume: bool) -> float:
    """
    Fine-tune to a fold and measure it.

    :param pair: training and test shapes. :param resume: an interrupted one.
    """
    own = copy.deepcopy(config)
    own['heads']['classes'] = way
    own['output'] = str(Path(config['output']) / f'{way}way_{shot}shot' / str(fold))
    own['data']['batch'] = min(own['data']['batch'], way * shot)
    own['seed'] = config['seed'] + fold
    task = Classify(own)
    chosen = measured_at(task.model.network, config)
    task.give(own['data']['train'], pair[0])
    task.give(own['data']['test'], pair[1])
    checkpoint = fit(task, resume)
    ready(task, checkpoint)
    found = accuracy(task, chosen, seed=0)
    checkpoint.unlink()  # a fold's weights are of no further use, and there are many of them
    return found


def measured_at(network, config) -> Variant:
    """
    Give the way to fewer tokens that ``fewshot.budget`` asks for.

    :raises ConfigError: the network has no budgets.
    """
    asked = config['fewshot']['budget']
    if asked is None:
        return Variant()
    if not isinstance(network, KINDS['budget']):
        raise ConfigError(f'fewshot.budget is {asked}, but a {type(network).__name__} has no '
                          'budgets: set it to null')
    return Variant('budget', asked)


def run(config, resume=False):
    """Print mean ± standard deviation over the folds; results go to ``fewshot.json``."""
    asked, data = config['fewshot'], config['data']
    if (config['trainer']['devices'], config['trainer']['nodes']) != (1, 1):
        raise ConfigError('a fold is too small to be shared out: run fewshot with '
                          'trainer.devices=1 and trainer.nodes=1')
    path = Path(config['output']) / 'fewshot.json'
    done = json.loads(path.read_text())['accuracy'] if resume and path.exists() else {}
    whole = None if asked['splits'] else [sets.read(data[side], data['root'])
                                          for side in ('train', 'test')]
    for way, shot in ((w, s) for w in asked['ways'] for s in asked['shots']):
        row = done.setdefault(f'{way}way_{shot}shot', {'folds': []})
        for fold in range(len(row['folds']), asked['folds']):
            pair = folds.published(asked['splits'], way, shot, fold) if asked['splits'] else \
                folds.drawn(*whole, way, shot, fold, asked['queries'], config['seed'])
            row['folds'].append(one_fold(config, pair, way, shot, fold, resume))
            row.update(over_runs(row['folds']))
            write_json(path, {'config': config, 'accuracy': done})
        print(f'{way}-way {shot}-shot: {100 * row["mean"]:.1f} ± {100 * row["std"]:.1f} '
              f'({row["runs"]} folds)', flush=True)
    print(f'wrote {path}')
    return done
