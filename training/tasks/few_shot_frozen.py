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


"""
Few-shot classification of classes that no label was ever given for, on frozen features.

Way × shot × folds as in the papers (Point-JEPA, section 3.10), but the network is not fine-tuned:
a ridge regression on what class heads read. The classes are those of infomr that are kept out
of training; ModelNet40's the small teacher has learned from labels.
"""

from typing import Dict, List

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import torch

from training.data import sets, vocabulary
from training.tasks import scores
from training.tasks.reduction import over_runs

WAYS, SHOTS, FOLDS, QUERIES = (5, 10), (5, 10), 10, 6
BUDGETS = (1, 16, 64)


def held_out(data):
    """Give the clouds of infomr's held-out classes: the token set and rows (n,) of it."""
    shapes, tokens = sets.read('infomr', data['root']), sets.tokens('infomr_test', data)
    never = vocabulary.outlier_labels(shapes, held_out=True) == -2
    return tokens, np.flatnonzero(never[np.asarray(tokens.labels)])


def fold(labels: np.ndarray, way: int, shot: int, number: int):
    """
    Draw a fold: ``way`` classes, of each ``shot`` shapes to learn from and ``QUERIES`` to name.

    :param labels: (shapes,). :return: shapes to learn from, shapes to name; None where too few
        classes have as many shapes.
    """
    able = np.flatnonzero(np.bincount(labels) >= shot + QUERIES)
    if len(able) < way:
        return None
    rng = np.random.default_rng([way, shot, number])
    drawn = [rng.permutation(np.flatnonzero(labels == c))[:shot + QUERIES]
             for c in rng.choice(able, way, replace=False)]
    return (np.concatenate([d[:shot] for d in drawn]), np.concatenate([d[shot:] for d in drawn]))


def accuracies(features: Dict[str, np.ndarray], labels: np.ndarray) -> Dict[str, dict]:
    """
    Give accuracy in each fold, mean and deviation, for each way and shot.

    :param features: (shapes, f) of whole clouds and of single views. :param labels: (shapes,).
    """
    found: Dict[str, dict] = {}
    for way, shot in ((w, s) for w in WAYS for s in SHOTS):
        kinds: Dict[str, List[float]] = {kind: [] for kind in features}
        for number in range(FOLDS):
            pair = fold(labels, way, shot, number)
            if pair is None:
                break
            for kind, x in features.items():
                model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=30.0))
                model.fit(x[pair[0]], labels[pair[0]])
                kinds[kind].append(float(model.score(x[pair[1]], labels[pair[1]])))
        if kinds['complete']:
            found[f'{way}way_{shot}shot'] = {
                k: {**over_runs(v), 'folds': [round(a, 4) for a in v]} for k, v in kinds.items()}
    return found


@torch.no_grad()
def measure(student, data, budgets, look, batches) -> Dict[object, Dict[str, dict]]:
    """
    Measure a student at those of the budgets that are in ``BUDGETS``.

    :param look: gives budget and what is rebuilt, see :func:`training.tasks.measure.look`.
    :param batches: gives rows of a token set in batches, see the function of that name there.
    """
    tokens, rows = held_out(data)
    budgets, device = [b for b in budgets if b in BUDGETS], next(student.parameters()).device
    made = {b: [] for b in budgets}
    for _, groups, centers in batches(tokens, rows, device):
        for b, rebuilt in look(student, groups, centers, budgets):
            made[b].append(rebuilt.summary.cpu().numpy())
    kinds = scores.by_kind(np.asarray(tokens.single_view)[rows])
    labels = np.asarray(tokens.labels)[rows][kinds['complete']]
    return {b: accuracies({k: np.concatenate(parts)[mask] for k, mask in kinds.items()}, labels)
            for b, parts in made.items()}
