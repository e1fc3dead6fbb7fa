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

"""Fine-tuned students side by side on ModelNet40's test shapes: what each ingredient is worth."""

import json
from pathlib import Path

import numpy as np
import torch

from training import config as configuration
from training import metrics
from training.data import sets, vocabulary
from training.export import load_model


@torch.no_grad()
def accuracy(model, tokens, label, budget: int) -> dict:
    """Give accuracy and interval of a recogniser on whole clouds and on single views."""
    hit, single = np.zeros(len(tokens), bool), np.asarray(tokens.single_view)
    for start in range(0, len(tokens), 128):
        r = slice(start, start + 128)
        rebuilt = model.student(torch.from_numpy(np.asarray(tokens.groups[r], np.float32)),
                                torch.from_numpy(np.asarray(tokens.centers[r])), budget)
        hit[r] = model.class_head(rebuilt.summary).argmax(1).numpy() == label[r]
    shapes = len(np.unique(tokens.shape))
    return {kind: {'accuracy': float(hit[mask].mean()),
                   'interval': metrics.interval(hit[mask].reshape(shapes, -1).mean(1))}
            for kind, mask in (('complete', ~single), ('single_view', single))}


def run(config, resume=False):
    """Print a row a student and budget, and write ``training/results/<name>.json``."""
    del resume
    rows = {}
    for name, (path, budgets) in config['students'].items():
        own = configuration.load(path)
        own['data']['root'] = config['data']['root']
        tokens = sets.tokens('modelnet40_test', own['data'])
        modelnet = sets.read('modelnet40_test', own['data']['root'])
        names = vocabulary.classes(modelnet, sets.read('parts_train', own['data']['root']))
        label = vocabulary.labels(modelnet, names)[np.asarray(tokens.labels)]
        model = load_model(own)
        for budget in budgets:
            row = rows.setdefault(name, {})[budget] = accuracy(model, tokens, label, budget)
            print(f'{name:32} budget {budget:2}: ' + ', '.join(
                f'{kind.replace("_", " ")} {r["accuracy"]:.3f} ± {r["interval"]:.3f}'
                for kind, r in row.items()), flush=True)
    results = Path('training/results') / f'{config["name"]}.json'
    results.write_text(json.dumps({'config': config, 'accuracy': rows}, indent=1))
    print(f'wrote {results}')
