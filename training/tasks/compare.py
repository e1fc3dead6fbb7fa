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
Set an exported bundle beside the one that it is to replace, on the same clouds at every budget.

Differences are paired: their intervals are over the test shapes, each seen by both bundles in the
same clouds.
"""

from pathlib import Path
from typing import Dict

from foundry_ros import bundle as bundles
from foundry_ros.student import Student
import numpy as np

from training import metrics
from training.data import sets
from training.tasks import evaluate, scores


def measured(config, bundle, student: Student, budget: int) -> Dict[str, np.ndarray]:
    """
    Give what each test shape's clouds reach (shapes,).

    :return: by kind, the share of them that is named rightly; ``parts``: the part IoU of whole
        clouds, their category predicted.
    """
    _, _, hit, single = evaluate.classification(student, config, list(bundle.classes), budget)
    shapes = len(sets.read('modelnet40_test', config['data']['root']).labels)
    found = {kind: hit[mask].reshape(shapes, -1).mean(1)
             for kind, mask in scores.by_kind(single).items()}
    parts = evaluate.part_ious(student, config, bundle, budget)
    return {**found, 'parts': parts.iou[~parts.single, 0].reshape(parts.shapes, -1).mean(1)}


def line(budget: int, old, new, before: Dict[str, np.ndarray],
         after: Dict[str, np.ndarray]) -> str:
    """Write a row: what both reach, and by how much the new one is better."""
    cells = []
    for kind in (*scores.KINDS, 'parts'):
        better = after[kind] - before[kind]
        cells.append(f'{100 * before[kind].mean():.1f} → {100 * after[kind].mean():.1f} '
                     f'({100 * better.mean():+.1f} ± {100 * metrics.interval(better):.1f})')
    values = [bundle.manifest['accuracy'].get(budget, {}) for bundle in (old, new)]
    try:
        cells.append(' → '.join(f'{100 * row["unknown"]["auroc_complete_never_seen"]:.1f}'
                                for row in values))
    except KeyError:
        cells.append('')
    return f'| {budget} | ' + ' | '.join(cells) + ' |'


def size(bundle) -> float:
    """Give the megabytes of a bundle's folder."""
    return sum(p.stat().st_size for p in Path(bundle.path).iterdir()) / 1e6


def run(config, resume=False):
    """Print the table of ``bundle.before`` and ``bundle.output``."""
    del resume
    old, new = (bundles.load_bundle(config['bundle'][which]) for which in ('before', 'output'))
    print(f'{old.name} {old.version}, {size(old):.1f} MB → {new.name} {new.version}, '
          f'{size(new):.1f} MB\n')
    print('| tokens | complete | single view | parts mIoU_I | unknown AUROC |')
    print('|---|---|---|---|---|')
    students = [(b, Student(b, ['CPUExecutionProvider'], config['bundle']['threads']))
                for b in (old, new)]
    for budget in new.token_budgets:
        both = [measured(config, *each, budget) for each in students]
        print(line(budget, old, new, *both), flush=True)
