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

"""The linear probe as published: a linear SVM on frozen features (Point-JEPA, section 3.10)."""

from pathlib import Path

import numpy as np
from sklearn.svm import SVC
import torch

from training.data.clouds import Augment, Clouds, grouped, loader
from training.models.backbone import pool
from training.tasks.classify import check_classes, Classify
from training.tasks.initial import encode
from training.tasks.numerics import device_of
from training.written import write_json


@torch.no_grad()
def features(task: Classify, name: str):
    """Give the pooled tokens (n, 2 d) of a set, not standardised, and its labels (n,)."""
    data, found, labels = task.config['data'], [], []
    clouds = Clouds(task.shapes(name), data['batch'], 0, 0, Augment(), shuffle=False)
    for batch in loader(clouds, data['workers']):
        batch = grouped({k: v.to(task.device) for k, v in batch.items()}, data['points'],
                        data['groups'], data['neighbours'])
        tokens = encode(task.model.network, batch['groups'], batch['centers'], None)
        found.append(pool(tokens).cpu().numpy())
        labels.append(batch['labels'].cpu().numpy())
    return np.concatenate(found), np.concatenate(labels)


def run(config, resume=False):
    """Print the accuracy on the test set of an SVM (C = 0.012) fitted on the training set."""
    del resume
    task = Classify(config).eval()
    check_classes(task)
    task.to(device_of(config['trainer']['accelerator']))
    (x, y), (test_x, test_y) = (features(task, config['data'][s]) for s in ('train', 'test'))
    found = float((SVC(C=0.012, kernel='linear').fit(x, y).predict(test_x) == test_y).mean())
    path = Path(config['output']) / 'probe.json'
    write_json(path, {'config': config, 'accuracy': found})
    print(f'linear probe: {found:.4f}; wrote {path}')
