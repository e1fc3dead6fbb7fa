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


"""Few-shot accuracy of runs: over folds, which are the same for all runs and seeds."""

from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from scipy import stats

from training.study import tables
from training.study.runs import Study

KEYS = ['5way_5shot', '5way_10shot', '10way_5shot', '10way_10shot']
TITLES = [key.replace('_', ' ') for key in KEYS]
KINDS = ('complete', 'single_view')


def measured(study: Study, name: str, budget) -> Dict[int, Dict[str, Any]]:
    """Read what a run has measured at a budget: seed, way and shot, kind of cloud."""
    found = tables.results(study, study.runs[name])
    return {f['seed']: f['budgets'][str(budget)]['few_shot'] for f in found
            if 'few_shot' in f['budgets'].get(str(budget), {})}


def cells(study: Study, small: Dict[str, Any]) -> List[str]:
    """Give few-shot accuracy of a run: means over seeds and folds, with intervals over folds."""
    found = list(measured(study, small['run'], small['budget']).values())
    seeds = f'{len(found)} of {study.runs[small["run"]].seeds}'
    if not found:
        return [str(small['budget']), 'not run', *[''] * (len(KEYS) - 1), seeds]
    told = []
    for key in KEYS:
        rows = [[f[key][kind] for f in found if key in f] for kind in KINDS]
        told.append(' / '.join(over_folds(r) if r else '–' for r in rows))
    return [str(small['budget']), *told, seeds]


def over_folds(rows: Sequence[Dict[str, float]]) -> str:
    """
    Write a mean over seeds in % and its interval over folds (Student's t), the seeds' mean.

    :param rows: of each seed ``mean``, ``std`` and number ``runs`` of its folds. All seeds have
        the same folds: more seeds do not make that interval smaller.
    """
    halves = [stats.t.ppf(0.975, r['runs'] - 1) * r['std'] / np.sqrt(r['runs'] - 1) for r in rows]
    return f"{100 * np.mean([r['mean'] for r in rows]):.1f} ± {100 * np.mean(halves):.1f}"


def differences(study: Study, name: str) -> List[List[str]]:
    """
    Give the cells of the differences that a table asks for, a heading first; [] for none.

    Fold by fold, of the mean over the seeds that both have: what makes a fold hard is in both.
    Folds share classes and shapes, so intervals are of these alone, narrower than new ones' are.
    """
    asked = study.tables[name].get('published', {}).get('fold_differences', [])
    made = [['first', 'second', f'first - second: {TITLES[0]}', *TITLES[1:], 'seeds']]
    for first, budget, second, other in asked:
        found = [measured(study, first, budget), measured(study, second, other)]
        both = [seed for seed in sorted(found[0].keys() & found[1].keys())
                if all('folds' in f[seed][KEYS[0]][KINDS[0]] for f in found)]
        titles = [f'{tables.title(study, study.runs[n])}, {b}'
                  for n, b in ((first, budget), (second, other))]
        told = [' / '.join(difference([[f[seed].get(key, {}).get(kind) for seed in both]
                                       for f in found]) for kind in KINDS) for key in KEYS]
        made.append([*titles, *told, str(len(both))])
    return made if asked else []


def difference(rows: Sequence[Sequence[Optional[Dict[str, Any]]]]) -> str:
    """
    Write by how much one is ahead of the other in %, and the interval over folds (Student's t).

    :param rows: two of as many seeds, each with ``folds``; None where that was not measured.
    """
    if not rows[0] or None in (*rows[0], *rows[1]):
        return 'not run'
    by_fold = np.subtract(*(np.mean([r['folds'] for r in row], axis=0) for row in rows))
    half = stats.t.ppf(0.975, len(by_fold) - 1) * stats.sem(by_fold)
    return f'{100 * by_fold.mean():.1f} ± {100 * half:.1f}'
