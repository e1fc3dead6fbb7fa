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
A run beside every other of a table at no more cost than theirs: measured time, and MACs.

Equal budgets are not equal costs: what is done beside the encoder differs from run to run. Times
that differ by less than two measurements of one network do are taken to be the same.
"""

from typing import Any, Dict, List, Optional

from training.study import tables
from training.study.runs import Run, Study

BY = {'milliseconds': 'ms', 'macs': 'million MACs'}
# What measurements of one network, such as the plain encoder of several runs, differ by.
NOISE = {'milliseconds': 0.03, 'macs': 0.0}
KINDS = ('complete', 'single_view', 'parts')


def of(cost: Dict[str, Any], by: str) -> float:
    """Give the time [ms] or the multiply-accumulates [10^6] of a network at a budget."""
    return cost['macs']['total'] / 1e6 if by == 'macs' else cost[by]


def affordable(study: Study, run: Run, most: float, by: str) -> Optional[int]:
    """Give the largest budget at which a run costs no more; None where all cost more."""
    cost, most = tables.costs(study).get(run.name, {}), most * (1 + NOISE[by])
    return max((b for b in run.numbers if str(b) in cost and of(cost[str(b)], by) <= most),
               default=None)


def rows(study: Study, name: str, by: str) -> List[List[str]]:
    """
    Give the cells of a comparison at equal cost, a heading first; [] where none is asked for.

    A table asks for it by ``equal_cost``, the run that is set beside all others. Its largest
    budget that costs no more is taken.

    :param by: one of :data:`BY`.
    """
    asked, cost = study.tables[name].get('equal_cost'), tables.costs(study)
    if asked is None:
        return []
    own = study.runs[asked]
    within = f' (within {NOISE[by]:.0%})' if NOISE[by] else ''
    made = [[f'beside {own.title}, at no more {BY[by]}{within}', 'tokens', BY[by], 'its tokens',
             f'its {BY[by]}', 'ahead by: complete', 'single view', 'parts mIoU_I', 'seeds']]
    for run in study.rows(name):
        for budget in run.budgets if run is not own else ():
            if str(budget) not in cost.get(run.name, {}):
                continue
            most = of(cost[run.name][str(budget)], by)
            left = affordable(study, own, most, by)
            cells = [tables.title(study, run), str(budget), f'{most:.2f}']
            if left is None:
                made.append([*cells, 'none', '', '', '', '', ''])
                continue
            found = [tables.difference(study, (own.name, left, run.name, budget), kind)
                     for kind in KINDS]
            made.append([*cells, str(left), f'{of(cost[own.name][str(left)], by):.2f}',
                         *('not run' if f is None else f.text() for f in found),
                         str(found[0].seeds if found[0] else 0)])
    return made
