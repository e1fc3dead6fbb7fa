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

"""Tables from the figures of runs: means over seeds, with 95 % intervals."""

from dataclasses import dataclass
import json
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from scipy import stats

from training import metrics
from training.config import ConfigError
from training.study import fresh
from training.study.runs import Run, Study
from training.tasks import scores

ENOUGH = 3  # seeds, for an interval over them


@dataclass(frozen=True)
class Figure:
    """
    A mean over seeds.

    :param half: half the width of its 95 % interval, NaN where none is known. :param over:
        ``seeds`` (Student's t) or ``shapes`` (bootstrap, the mean of the seeds').
    """

    mean: float
    half: float
    seeds: int
    over: str

    def text(self, scale: float = 100.0, digits: int = 1) -> str:
        """Write it, with a * where the interval is over shapes."""
        if np.isnan(self.half):
            return f'{scale * self.mean:.{digits}f}'
        mark = '' if self.over == 'seeds' else '*'
        return f'{scale * self.mean:.{digits}f} ± {scale * self.half:.{digits}f}{mark}'


def figure(values: Sequence[float], halves: Sequence[float] = ()) -> Figure:
    """
    Average over seeds.

    :param values: one a seed. :param halves: of the intervals over shapes, one a seed.
    """
    n, mean = len(values), float(np.mean(values))
    if n >= ENOUGH:
        half = stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
        return Figure(mean, float(half), n, 'seeds')
    return Figure(mean, float(np.mean(halves)) if len(halves) else float('nan'), n, 'shapes')


def results(study: Study, run: Run) -> List[Dict[str, Any]]:
    """Read the figures of a run, one a seed."""
    paths = [study.result(run, seed) for seed in range(1, run.seeds + 1)]
    return [json.loads(p.read_text()) for p in paths if p.exists()]


def older(study: Study, run: Run) -> str:
    """Say so where figures of a run are not of its configuration and teacher as they are now."""
    same = all(fresh.learned(study, run, found) for found in results(study, run))
    return '' if same else ' (OLDER CONFIGURATION)'


def title(study: Study, run: Run) -> str:
    """Give the title of a run, and whether its figures are older."""
    return run.title + older(study, run)


def at(found: List[Dict[str, Any]], budget: int, kind: str) -> Optional[Figure]:
    """Give the accuracy at a budget on ``complete`` clouds or ``single_view``."""
    rows = [f['budgets'][str(budget)][kind] for f in found if str(budget) in f['budgets']]
    return figure([r['accuracy'] for r in rows], [r['interval'] for r in rows]) if rows else None


def part_ious(found, budget, kind='complete') -> Optional[List[Figure]]:
    """Give mIoU_I and mIoU_C, the category given."""
    rows = [f['budgets'][str(budget)]['parts'][kind] for f in found
            if str(budget) in f['budgets']]
    return [figure([r['miou_i'] for r in rows], [r['interval'] for r in rows]),
            figure([r['miou_c'] for r in rows])] if rows else None


def reached(found, budget, kind: str) -> Optional[Figure]:
    """Give the accuracy on ``complete`` clouds or ``single_view``, or mIoU_I of ``parts``."""
    if kind == 'parts':
        return (part_ious(found, budget) or [None])[0]
    return at(found, budget, kind)


def loss(found, budget) -> Optional[Figure]:
    """Give the distillation loss on validation shapes."""
    rows = [f['budgets'][str(budget)]['distillation_loss'] for f in found
            if str(budget) in f['budgets']]
    rows = [r for r in rows if r is not None]
    return figure(rows) if rows else None


def cells(found: List[Dict[str, Any]], budget: int) -> List[str]:
    """Write the figures of a run at a budget."""
    value = loss(found, budget)
    return [*(at(found, budget, kind).text() for kind in ('complete', 'single_view')),
            part_ious(found, budget)[0].text(),
            '–' if value is None else f'{value.mean:.4f}']


def costs(study: Study) -> Dict[str, Any]:
    """Read what runs cost, by name and budget, where it was measured of networks as they are."""
    path = study.results / 'cost.json'
    if not path.exists():
        return {}
    found = json.loads(path.read_text())
    return {name: cost for name, cost in found['runs'].items() if name in study.runs
            and found['networks'].get(name) == fresh.network_of(study, study.runs[name])}


HEAD = ['row', 'tokens', 'complete', 'single view', 'parts mIoU_I', 'distillation loss',
        'ms', 'million MACs', 'million parameters', 'seeds']


def body(study: Study, name: str) -> List[List[str]]:
    """Give the cells of a table, a row for each run and budget."""
    made, cost = [], costs(study)
    for run in study.rows(name):
        found, told = results(study, run), title(study, run)
        for budget in (b for b in run.budgets if b in (*run.numbers, 'as trained')):
            have = [f for f in found if str(budget) in f['budgets']]
            figures = cells(have, budget) if have else ['not run', '', '', '']
            made.append([told, str(budget), *figures,
                         *cost_cells(cost.get(run.name, {}).get(str(budget))),
                         f'{len(have)} of {run.seeds}'])
    return made


def cost_cells(row: Optional[Dict[str, Any]]) -> List[str]:
    """Write what a run costs at a budget."""
    if row is None:
        return [''] * 3
    return [f'{row["milliseconds"]:.2f}', f'{row["macs"]["total"] / 1e6:.1f}',
            f'{row["parameters"]["total"] / 1e6:.2f}']


def difference(study: Study, pairs, kind: str) -> Optional[Figure]:
    """
    Give by how much one figure exceeds another, seed by seed; over shapes, shape by shape.

    :param pairs: run, budget, run, budget. :param kind: see :func:`reached`.
    """
    rows = [{f['seed']: (f, b) for f in results(study, study.runs[n]) if str(b) in f['budgets']}
            for n, b in (pairs[:2], pairs[2:])]
    both = sorted(rows[0].keys() & rows[1].keys())
    if not both:
        return None
    halves = []
    if len(both) < ENOUGH:
        halves = [metrics.interval(np.subtract(*(of_shapes(*row[s], kind) for row in rows)))
                  for s in both]
    return figure([np.subtract(*(reached([row[s][0]], row[s][1], kind).mean for row in rows))
                   for s in both], halves)


def of_shapes(found: Dict[str, Any], budget, kind: str) -> np.ndarray:
    """Give the figures of a run shape by shape (shapes,), see :func:`reached`."""
    row = found['budgets'][str(budget)]
    if kind == 'parts':
        return np.array(row['parts']['complete']['shapes'])
    shapes = found['sets']['modelnet40_test']['shapes']
    return scores.unpacked(row[kind]['right'], shapes, found['clouds']).mean(1)


def differences(study: Study, name: str) -> List[List[str]]:
    """
    Give the cells of the differences that a table asks for, a heading first; [] for none.

    A table asks for run, tokens, run, tokens and what the paper says of them, or a goal:
    ``least`` or ``most`` points of names.
    """
    asked, cost = study.tables[name].get('differences', []), costs(study)
    made = [['first', 'second', 'first - second: complete', 'single view', 'parts mIoU_I',
             'seeds', 'first / second: ms']]
    claims = any(len(row) > 4 for row in asked)
    last = 'paper' if 'published' in study.tables[name] else 'goal: complete, single view'
    made[0] += [last] * claims
    for first, budget, second, less, *claim in asked:
        pairs = first, budget, second, less
        found = [difference(study, pairs, kind) for kind in ('complete', 'single_view', 'parts')]
        titles = [f'{title(study, study.runs[n])}, {b}' for n, b in (pairs[:2], pairs[2:])]
        made.append([*titles, *('not run' if f is None else f.text() for f in found),
                     str(found[0].seeds if found[0] else 0), ratio(cost, pairs),
                     *[goal(c, found) if isinstance(c, dict) else c
                       for c in claim or ['–']][:claims]])
    return made if asked else []


def goal(asked: Dict[str, float], found: Sequence[Optional[Figure]]) -> str:
    """
    Say whether differences of names reach a goal: met or missed, with ? where the interval doubts.

    :param asked: ``least`` or ``most``, points. :param found: complete, single view, ...
    :raises ConfigError: another goal.
    """
    (kind, limit), told = next(iter(asked.items())), []
    if kind not in ('least', 'most'):
        raise ConfigError(f'a goal is least or most, not {kind!r}')
    for figure_of in found[:2]:
        if figure_of is None:
            told.append('not run')
            continue
        over = 100 * figure_of.mean - limit if kind == 'least' else limit - 100 * figure_of.mean
        sure = abs(over) > 100 * figure_of.half
        told.append(('met' if over >= 0 else 'missed') + '?' * (not sure))
    return f'at {kind} {limit:g}: ' + ', '.join(told)


def ratio(cost, pairs) -> str:
    """Write how many times as long one takes as the other, see :func:`difference`."""
    rows = [cost.get(n, {}).get(str(b)) for n, b in (pairs[:2], pairs[2:])]
    if None in rows:
        return '–'
    return f'{rows[0]["milliseconds"] / rows[1]["milliseconds"]:.2f}'


NOTE = ("Accuracy in % and 95 % intervals: over seeds (Student's t) where there are three, else "
        'over shapes (*). Parts: complete clouds, category given; every category has two test '
        'shapes, so mIoU_C is mIoU_I. ms: an object in onnxruntime on one thread, all rows side '
        'by side; costs are without heads but for ms. Differences: seed by seed, over shapes '
        'shape by shape. What costs no more is the largest budget of which that was measured. '
        'Goals: ? where the interval holds values on both sides.')


def aligned(rows: List[List[str]]) -> List[str]:
    """Put cells in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ['  '.join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows]


def marked(rows: List[List[str]]) -> List[str]:
    """Write cells, a heading first, as a table of Markdown and an empty line; [] for none."""
    rows = [*rows[:1], *(['---'] * len(row) for row in rows[:1]), *rows[1:]]
    return [*('| ' + ' | '.join(row) + ' |' for row in rows), ''] if rows else []
