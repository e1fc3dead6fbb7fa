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
small study that stands for each, and the commands of the published recipe.
"""

from dataclasses import replace
import json
from pathlib import Path
import subprocess
import sys
from typing import Any, Dict, List, Tuple

import numpy as np
from scipy import stats
import yaml

from training import config as configuration
from training.config import ConfigError, RunError
from training.study import tables
from training.study.runs import resolved, Study

PAPER = 'training/configs/paper'
DATA = ('modelnet40', 'omniobject3d', 'scanobjectnn_bg', 'scanobjectnn_only', 'scanobjectnn_pb',
        'shapenet55', 'shapenetpart')
NOWHERE = 'published: not available'
HERE = ['tokens', 'complete', 'single view', 'mIoU_C', 'mIoU_I', 'loss']
FEW = ['5way_5shot', '5way_10shot', '10way_5shot', '10way_10shot']
COSTS = ['tokens', 'M parameters', 'M MACs', 'tokenizer', 'encoder', 'rest', 'ms']


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
        found[path.stem] = {'title': about['title'], 'rows': list(dict.fromkeys(names)),
                            'published': about}
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
    if small is None:
        return ['–', 'no such run', *[''] * (len(head) - 2)]
    if 'spearman' in small:
        return correlation(study, small)
    if about.get('costs'):
        return costs(study, small)
    if about.get('needs') == 'few_shot':
        return few_shot(study, small)
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
        values = [f['budgets'][str(budget)][key] for f in found]
        figures.append(f'{np.mean(values):.3f}')
    return [str(budget), *figures, seeds]


def costs(study: Study, small: Dict[str, Any]) -> List[str]:
    """Give what a run costs here."""
    cost = tables.costs(study).get(small['run'], {}).get(str(small['budget']))
    if cost is None:
        return [str(small['budget']), 'not measured', *[''] * (len(COSTS) - 2)]
    macs = {k: v / 1e6 for k, v in cost['macs'].items()}
    rest = macs['total'] - macs['tokenizer'] - macs['encoder']
    return [str(small['budget']), f'{cost["parameters"]["total"] / 1e6:.2f}',
            *(f'{v:.1f}' for v in (macs['total'], macs['tokenizer'], macs['encoder'], rest)),
            f'{cost["milliseconds"]:.2f}']


def few_shot(study: Study, small: Dict[str, Any]) -> List[str]:
    """Give few-shot accuracy here: means over seeds, each over folds."""
    run, budget = study.runs[small['run']], str(small['budget'])
    found = [f['budgets'][budget]['few_shot'] for f in tables.results(study, run)
             if 'few_shot' in f['budgets'].get(budget, {})]
    seeds = f'{len(found)} of {run.seeds}'
    if not found:
        return [budget, 'not run', *[''] * (len(FEW) - 1), seeds]
    told = []
    for key in FEW:
        rows = [[f[key][kind]['mean'] for f in found if key in f]
                for kind in ('complete', 'single_view')]
        told.append(' / '.join(tables.figure(r).text() if r else '–' for r in rows))
    return [budget, *told, seeds]


def correlation(study: Study, small: Dict[str, Any]) -> List[str]:
    """Give Spearman's correlation of lambda with what was reached here."""
    rows = []
    for price, name in small['spearman'].items():
        found = [f for f in tables.results(study, study.runs[name])
                 if small['budget'] in f['budgets']]
        if found:
            ious = tables.part_ious(found, small['budget'])
            figures = [tables.at(found, small['budget'], k) for k in ('complete', 'single_view')]
            loss = tables.loss(found, small['budget'])
            rows.append([price, *(f.mean for f in (*figures, ious[1], ious[0], loss))])
    count = f'{len(rows)} of {len(small["spearman"])} λ'
    if len(rows) < 3:
        return [small['budget'], 'not run', *[''] * 4, count]
    columns = np.array(rows, float).T
    values = [stats.spearmanr(columns[0], column).statistic if np.ptp(column) else None
              for column in columns[1:]]  # of what does not change there is none
    return [small['budget'], *('–' if v is None else f'{v:+.2f}' for v in values), count]


def heading(about: Dict[str, Any]) -> List[str]:
    """Name the columns of what was measured here."""
    if about.get('costs'):
        return COSTS
    if about.get('needs') == 'few_shot':
        return ['tokens', *(key.replace('_', ' ') for key in FEW), 'seeds']
    return [*HERE, *about.get('ours', []), 'seeds']


def rows(study: Study, name: str) -> Tuple[List[str], List[List[str]]]:
    """Give the names of a table's columns and its cells; the paper's come first."""
    about = study.tables[name]['published']
    head = ['row', *(f'paper: {about["columns"][k]}' for k in about['shown']),
            *(f'here: {h}' for h in heading(about))]
    return head, [[row['title'], *said(about, row), *measured(study, about, row)]
                  for row in about['rows']]


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
        'sizes: compare rows, not sides.', *about.get('notes', []), tables.NOTE]


def table(study: Study, name: str) -> List[str]:
    """Give the lines of a table for a terminal."""
    head, body = rows(study, name)
    return [study.tables[name]['title'], '', *tables.aligned([head, *body]), '',
            *notes(study, name)]


def markdown(study: Study, name: str) -> List[str]:
    """Give the lines of a table for a page."""
    head, body = rows(study, name)
    lines = ['| ' + ' | '.join(row) + ' |' for row in (head, ['---'] * len(head), *body)]
    return [*lines, '', *(part for note in notes(study, name) for part in (note, ''))]


def commands(row: Dict[str, Any]) -> List[str]:
    """
    Give the command lines of the published recipe of a row.

    In the file a command is a verb and its files, ``DATA`` for each data set in turn.
    """
    found = []
    for text in row.get('paper', []):
        verb, _, rest = text.partition(' ')
        if verb not in ('pretrain', 'distill', 'finetune', 'fewshot', 'describe'):
            found.append(f'# {text}')
            continue
        for data in DATA if 'DATA' in rest else ('',):
            words = rest.replace('DATA', f'{data}.yaml').replace(' + ', ' ').split()
            files = [f'--config {PAPER}/{w}' for w in words if w.endswith('.yaml')]
            resume = [] if verb == 'describe' else ['--resume']
            found.append(' '.join(['python -m training', verb, *resume, *files,
                                   *(w for w in words if not w.endswith('.yaml'))]))
    return found


def recipe(study: Study, name: str) -> List[str]:
    """Give the lines of a table at the paper's scale: its figures, and a command for each."""
    if name not in study.tables or 'published' not in study.tables[name]:
        raise ConfigError(f"table {name!r} is none of the paper's, it has no recipe there")
    about = study.tables[name]['published']
    lines = [study.tables[name]['title'], f'paper: {about["source"]}', '']
    for row in about['rows']:
        figures = [f'{about["columns"][k]} {row["published"][k]}' for k in about['columns']
                   if k in row['published']]
        lines += [f'{row["title"]}: {", ".join(figures) or NOWHERE}',
                  *(f'    {line}{outcome(line)}'
                    for line in commands(row) or ['# no recipe in the paper'])]
    return lines


def configuration_of(line: str) -> Dict[str, Any]:
    """
    Read the configuration that a command line names.

    :raises ConfigError: it is not there, or an override changes nothing that it has.
    """
    words = line.split()[4:]
    return configuration.load([w for w in words if w.endswith('.yaml')],
                              [w for w in words if '=' in w])


def outcome(line: str) -> str:
    """Give what a fine-tuning has measured where it was run here, in %; else nothing."""
    if ' finetune ' not in line:
        return ''
    told = []
    folder = Path(configuration_of(line)['output'])
    for path in (folder / 'accuracy.json', folder / 'miou.json'):
        if path.exists():
            for name, row in json.loads(path.read_text())[path.stem].items():
                kinds = row if path.stem == 'miou' else {'accuracy': row}
                told.append(f'{name}: ' + ', '.join(
                    f'{kind} {100 * r["mean"]:.2f} ± {100 * r["std"]:.2f}'
                    for kind, r in kinds.items()))
    return '   # here: ' + '; '.join(told) if told else ''


def run(study: Study, name: str) -> None:
    """
    Run the commands of a table at the paper's scale one after another, each going on if begun.

    :raises RunError: one failed.
    """
    lines = [line for row in study.tables[name]['published']['rows'] for line in commands(row)]
    for line in dict.fromkeys(line for line in lines if not line.startswith('#')):
        print(line, flush=True)
        if subprocess.run([sys.executable, *line.split()[1:]], check=False).returncode:
            raise RunError(f'this failed: {line}')
