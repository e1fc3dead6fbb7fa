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

"""What the pretraining is worth: a linear probe of its features against random weights."""

from pathlib import Path
import time

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
import torch

from training.data import sets
from training.models.backbone import Backbone, pool
from training.provenance import commit, machine, used_sets
from training.tasks.common import size_of, weights
from training.tasks.origin import origin_of
from training.written import write_json


@torch.no_grad()
def features(backbone: Backbone, tokens, rows) -> np.ndarray:
    """Pool the last-layer tokens of clouds (len(rows), 2 d), encoder in evaluation mode."""
    found = []
    for start in range(0, len(rows), 64):
        r = rows[start:start + 64]
        groups = torch.from_numpy(np.asarray(tokens.groups[r], np.float32))
        centers = torch.from_numpy(np.asarray(tokens.centers[r], np.float32))
        found.append(pool(backbone(groups, centers)).numpy())
    return np.concatenate(found)


def probe(backbone: Backbone, config, single: bool) -> float:
    """
    Fit a linear SVM (C = 0.012, as Point-JEPA) on the training shapes and score the test shapes.

    The features are standardised first: C means the same then for both networks, whatever the
    scale of what they give.

    :param single: single views instead of whole clouds, for both.
    """
    data, found = config['data'], []
    for name in ('modelnet40_train', 'modelnet40_test'):
        tokens = sets.tokens(name, data)
        of_kind = np.flatnonzero(np.asarray(tokens.single_view) == single)
        _, first = np.unique(np.asarray(tokens.shape)[of_kind], return_index=True)
        rows = of_kind[first]  # one cloud a shape
        found.append((features(backbone, tokens, rows), np.asarray(tokens.labels)[rows]))
    (x, y), (test_x, test_y) = found
    machine = make_pipeline(StandardScaler(), SVC(C=0.012, kernel='linear'))
    return float((machine.fit(x, y).predict(test_x) == test_y).mean())


def run(config, resume=False):
    """Print the probe's accuracy for the pretrained and for random weights."""
    del resume
    row, begun, path = {}, time.monotonic(), Path(config['output']) / 'last.ckpt'
    for name in ('random', 'pretrained'):
        torch.manual_seed(config['seed'])
        backbone = Backbone(size_of(config['model'])).eval()
        if name == 'pretrained':
            backbone.load_state_dict(weights(path, 'model.backbone.'))
        else:  # the norms of a network in use are adapted to the data: so are the random one's
            tokens = sets.tokens('modelnet40_train', config['data'])
            backbone.train()
            features(backbone, tokens, np.arange(0, len(tokens), 20))
            backbone.eval()
        row[name] = {kind: probe(backbone, config, kind == 'single_view')
                     for kind in ('complete', 'single_view')}
        print(f'linear probe, {name:10} weights: complete {row[name]["complete"]:.3f}, '
              f'single view {row[name]["single_view"]:.3f}', flush=True)
    results = Path('training/results/probe.json')
    write_json(results, {
        'config': config, 'trained': {k: v for k, v in origin_of(path).items() if k != 'config'},
        'commit': commit(), 'machine': machine(), 'seconds': round(time.monotonic() - begun),
        'sets': used_sets(config['data']), 'accuracy': row})
    print(f'wrote {results}')
