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
The paper's tables: what it published beside what was measured here, told apart.

A table is a file of ``training/configs/tables``: rows with their published figures, the run of the
small study that stands for each, and the commands of the published recipe (``commands``).
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from scipy import stats
import yaml

from training.config import ConfigError
from training.study import few_shot, fresh, own, tables
from training.study.runs import resolved, Study

NOWHERE = 'published: not available'
HERE = ['tokens', 'complete', 'single view', 'mIoU_C', 'mIoU_I', 'loss']
COUNTED = "paper's network: G MACs of 64 clouds, encoder once"
COSTS = [COUNTED, 'tokens', 'M parameters', 'M MACs', 'tokenizer', 'encoder', 'rest', 'MiB', 'ms',
         'objects/s']


def extended(study: Study) -> Study:
    """
    Add the paper's tables to a study, each with the runs that stand in it under ``rows``.

    :raises ConfigError: a table names a run that is none.
    """
    if study.published is None:
        return study
    found = dict(study.tables)
    for path in sorted(Path(study.published).glob('*.yaml')):
        about = yaml.safe_load(path.read_text())
        names: List[str] = []
        for row in about['rows']:
            small = row.get('small', {})
            names += [small['run']] if 'run' in small else small.get('spearman', {}).values()
        compared = about.get('differences', [])
        names += [name for row in (*compared, *about.get('fold_differences', []))
                  for name in (row[0], row[2])]
        found[path.stem] = {'title': about['title'], 'rows': list(dict.fromkeys(names)),
                            'differences': compared, 'published': about,
                            'equal_cost': about.get('equal_cost')}
        wrong = [name for name in found[path.stem]['rows'] if name not in study.runs]
        if wrong:
            raise ConfigError(f'{path} has a row for {wrong[0]!r}, which is no run')
    return replace(study, tables=found)


def said(about: Dict[str, Any], row: Dict[str, Any]) -> List[str]:
    """Give the published figures of a row."""
    published = row['published']
    if not published:
        return [NOWHERE, *[''] * (len(about['shown']) - 1)]
    return [str(published.get(key, '–')) for key in about['shown']]


def measured(study: Study, about: Dict[str, Any], row: Dict[str, Any]) -> List[str]:
    """Give what was measured here for a row, and over how many seeds."""
    small, head = row.get('small'), heading(about)
    if about.get('costs'):
        return [row.get('counted', '–'), *costs(study, small)]
    if small is None:
        return ['–', 'no such run', *[''] * (len(head) - 2)]
    if 'spearman' in small:
        return correlation(study, small)
    if about.get('few_shot'):
        return few_shot.cells(study, small)
    run, budget = study.runs[small['run']], small['budget']
    found = [f for f in tables.results(study, run) if str(budget) in f['budgets']]
    seeds = f'{len(found)} of {run.seeds}'
    if not found:
        return [str(budget), 'not run', *[''] * (len(head) - 3), seeds]
    loss = tables.loss(found, budget)
    figures = [tables.at(found, budget, kind).text() for kind in ('complete', 'single_view')]
    instance, category = tables.part_ious(found, budget)
    figures += [category.text(), instance.text(), '–' if loss is None else f'{loss.mean:.4f}']
    for key in about.get('ours', []):
        values = [f['budgets'][str(budget)].get(key) for f in found]
        figures.append('–' if None in values else f'{np.mean(values):.3f}')
    return [str(budget), *figures, seeds]


def costs(study: Study, small: Optional[Dict[str, Any]]) -> List[str]:
    """Give what a run costs here."""
    if small is None:
        return ['–', 'no such run', *[''] * (len(COSTS) - 3)]
    cost = tables.costs(study).get(small['run'], {}).get(str(small['budget']))
    if cost is None:
        return [str(small['budget']), 'not measured', *[''] * (len(COSTS) - 3)]
    macs = {k: v / 1e6 for k, v in cost['macs'].items()}
    rest = macs['total'] - macs['tokenizer'] - macs['encoder']
    return [str(small['budget']), f'{cost["parameters"]["total"] / 1e6:.2f}',
            *(f'{v:.1f}' for v in (macs['total'], macs['tokenizer'], macs['encoder'], rest)),
            f'{cost["memory_mib"]:.0f}' if 'memory_mib' in cost else '–',
            f'{cost["milliseconds"]:.2f}', f'{1e3 / cost["milliseconds"]:,.0f}']


def correlation(study: Study, small: Dict[str, Any]) -> List[str]:
    """
    Give Spearman's correlation with what was reached here: of lambda, or of one run's budgets.

    Without figures of an older configuration: those differ by more than lambda.
    """
    if 'run' in small:
        asked = [(b, small['run'], b) for b in study.runs[small['run']].numbers]
        told, of = f'{asked[0][0]} to {asked[-1][0]}', 'budgets'
    else:
        asked = [(price, name, small['budget']) for price, name in small['spearman'].items()]
        told, of = small['budget'], 'λ'
    rows, seeds = [], set()
    for price, name, budget in asked:
        run = study.runs[name]
        found = [f for f in tables.results(study, run) if str(budget) in f['budgets']
                 and fresh.learned(study, run, f)]
        if found:
            seeds.add(len(found))
            ious = tables.part_ious(found, budget)
            figures = [tables.at(found, budget, k) for k in ('complete', 'single_view')]
            loss = tables.loss(found, budget)
            rows.append([price, *(f.mean for f in (*figures, ious[1], ious[0], loss))])
    count = f'{len(rows)} of {len(asked)} {of}'
    if len(seeds) > 1:  # a mean of fewer says less
        count += f', of {min(seeds)} to {max(seeds)} seeds'
    if len(rows) < 3:
        return [told, 'not run', *[''] * 4, count]
    columns = np.array(rows, float).T
    values = [stats.spearmanr(columns[0], column).statistic if np.ptp(column) else None
              for column in columns[1:]]  # of what does not change there is none
    return [told, *('–' if v is None else f'{v:+.2f}' for v in values), count]


def heading(about: Dict[str, Any]) -> List[str]:
    """Name the columns of what was measured here."""
    if about.get('costs'):
        return COSTS
    if about.get('few_shot'):
        return ['tokens', *few_shot.TITLES, 'seeds']
    return [*HERE, *about.get('ours', []), 'seeds']


def rows(study: Study, name: str) -> Tuple[List[str], List[List[str]]]:
    """Give the names of a table's columns and its cells; the paper's come first."""
    about = study.tables[name]['published']
    head = ['row', *(f'paper: {about["columns"][k]}' for k in about['shown']),
            *(f'here: {h}' for h in heading(about))]
    return head, [[row['title'] + older(study, row), *said(about, row),
                   *measured(study, about, row)]
                  for row in about['rows']]


def older(study: Study, row: Dict[str, Any]) -> str:
    """Say so where what was measured here for a row is of another configuration."""
    run = study.runs.get(row.get('small', {}).get('run'))
    return tables.older(study, run) if run else ''


def notes(study: Study, name: str) -> List[str]:
    """Say what the two sides were trained and measured on."""
    about = study.tables[name]['published']
    config = resolved(study, study.runs['any'], 1)
    steps = {verb: f'{c["trainer"]["epochs"] * c["data"]["steps"]:,}'
             for verb, c in config.items()}
    batch = sum(config['distill']['data']['mix'].values())
    size = config['finetune']['model']
    return [
        f'paper: {about["source"]}. ViT-S of 384 × 12, 64 tokens; distilled on ShapeNet55 (41,952 '
        'shapes) for 150 epochs, fine-tuned to each data set for 150 (parts: 300).',
        f'here: {size["width"]} × {size["depth"]}, 64 tokens; ModelNet40 (1,234 test shapes, '
        'random yaw, whole clouds and single views) and the part-labelled set (38 test shapes, '
        f'category given); distilled for {steps["distill"]} steps of {batch} clouds, fine-tuned '
        f'to all tasks at once for {steps["finetune"]}. The two sides are of other data and '
        'sizes: compare rows, not sides.', *about.get('notes', []),
        *(losses_against(study, name) if about.get('losses') else []),
        tables.NOTE]


def losses_against(study: Study, name: str) -> List[str]:
    """Say how the distillation loss goes with what runs of a table reach, here and published."""
    points = []
    for run in study.rows(name):
        found = tables.results(study, run)
        for b in run.numbers:
            loss = tables.loss(found, b)
            if loss is not None:
                reached = [tables.at(found, b, kind).mean for kind in ('complete', 'single_view')]
                points.append([loss.mean, *reached, tables.part_ious(found, b)[0].mean])
    if len(points) < 3:
        return []
    columns = np.array(points).T
    told = [f'{title} {stats.spearmanr(columns[0], column).statistic:+.2f}' for title, column in
            zip(('complete', 'single view', 'mIoU_I'), columns[1:])]
    theirs = [(float(row['published']['distillation_loss']), float(row['published']['average']))
              for row in study.tables[name]['published']['rows']
              if {'distillation_loss', 'average'} <= row['published'].keys()]
    return ["distillation loss and what is reached, Spearman's correlation over the "
            f'{len(points)} rows and budgets that have both: {", ".join(told)}; published, over '
            f"{len(theirs)} rows of this table with the average: "
            f'{stats.spearmanr(*zip(*theirs)).statistic:+.2f}.']


def table(study: Study, name: str) -> List[str]:
    """Give the lines of a table for a terminal."""
    head, body = rows(study, name)
    return [study.tables[name]['title'], '', *tables.aligned([head, *body]), '',
            *(line for told in own.compared(study, name)
              for line in (*tables.aligned(told), '')), *notes(study, name)]


def markdown(study: Study, name: str) -> List[str]:
    """Give the lines of a table for a page."""
    head, body = rows(study, name)
    return [*tables.marked([head, *body]),
            *(line for told in own.compared(study, name) for line in tables.marked(told)),
            *(part for note in notes(study, name) for part in (note, ''))]
