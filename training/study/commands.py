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
The published recipe of the paper's tables: the command of each row, and what it gave here.

For a machine with a GPU and the paper's data; ``published`` puts what was measured at the small
scale beside the paper's figures.
"""

import csv
import json
from pathlib import Path
import subprocess
import sys
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from scipy import stats

from training import config as configuration
from training.config import ConfigError, RunError
from training.study import paper_cost
from training.study.published import NOWHERE
from training.study.runs import Study

PAPER = 'training/configs/paper'
DATA = ('modelnet40', 'omniobject3d', 'scanobjectnn_bg', 'scanobjectnn_only', 'scanobjectnn_pb',
        'shapenet55', 'shapenetpart')
# Epochs at which a student's encoder is let learn in fine-tuning (Foundry, section D); that of the
# configuration first.
EPOCHS = dict(dict.fromkeys(DATA, (100, 0, 150)), shapenetpart=(0, 300))
AT = '_unfrozen_at_'
# What the paper's tables call the figures of a data set.
COLUMNS = dict({data: (data,) for data in DATA}, scanobjectnn_bg=('obj_bg',),
               scanobjectnn_only=('obj_only',), scanobjectnn_pb=('pb_t50_rs',),
               shapenetpart=('miou_c', 'miou_i'))


def of_row(row: Dict[str, Any]) -> List[str]:
    """
    Give the command lines of the published recipe of a row.

    In the file a command is a verb and its files, ``DATA`` for each data set in turn; a row with
    ``unfreeze`` is fine-tuned once for each epoch at which the encoder is let learn.
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
            line = ' '.join(['python -m training', verb, *resume, *files,
                             *(w for w in words if not w.endswith('.yaml'))])
            more = EPOCHS[data][1:] if data and 'unfreeze' in row else ()
            found += [line, *(f'{line} unfreeze={epoch} run={data}{AT}{epoch}' for epoch in more)]
    return found


def published_at(row: Dict[str, Any], line: str) -> str:
    """Give the paper's figures of a fine-tuning that lets the encoder learn at some epoch."""
    data = next((d for d in DATA if f'/{d}.yaml' in line), None)
    if data is None or 'unfreeze' not in row or ' finetune ' not in line:
        return ''
    epoch = int(line.rpartition(AT)[2]) if AT in line else EPOCHS[data][0]
    return f'   # paper, let learn at epoch {epoch}: ' + ', '.join(
        row['unfreeze'][epoch][name] for name in COLUMNS[data])


def over_epochs(row: Dict[str, Any]) -> Dict[str, Dict[str, Dict[str, List[float]]]]:
    """
    Gather what the fine-tunings of a row have measured, over the epochs at which they unfreeze.

    :return: data set, way to fewer tokens, figure: a mean for each epoch.
    """
    found: Dict[str, Dict[str, Dict[str, List[float]]]] = {}
    for line in of_row(row):
        for way, figures in (measured(line) if ' finetune ' in line else {}).items():
            data = Path(configuration_of(line)['output']).name.partition(AT)[0]
            for name, values in figures.items():
                found.setdefault(data, {}).setdefault(way, {}).setdefault(name, []).append(
                    values['mean'])
    return found


def means(row: Dict[str, Any]) -> List[str]:
    """Write mean and deviation over the epochs of unfreezing, as the paper's tables do, in %."""
    if 'unfreeze' not in row:
        return []
    return [f'here, over {len(values)} epochs of unfreezing: {data} {name} '
            f'{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f}'
            for data, ways in over_epochs(row).items()
            for name, values in ways.get(row.get('shows', 'as trained'), {}).items()
            if len(values) > 1]


def published(study: Study, name: str) -> Dict[str, Any]:
    """
    Give what the paper has of a table.

    :raises ConfigError: it is none of the paper's.
    """
    if name not in study.tables or 'published' not in study.tables[name]:
        raise ConfigError(f"table {name!r} is none of the paper's, it has no recipe there")
    return study.tables[name]['published']


def lines_of(study: Study, name: str) -> List[str]:
    """Give the lines of a table at the paper's scale: its figures, and a command for each."""
    about = published(study, name)
    lines = [study.tables[name]['title'], f'paper: {about["source"]}', '']
    for row in about['rows']:
        figures = [f'{about["columns"][k]} {row["published"][k]}' for k in about['columns']
                   if k in row['published']]
        lines.append(f'{row["title"]}: {", ".join(figures) or NOWHERE}')
        if 'correlates' in row:
            lines += [f'    # {line}' for line in correlation(study, **row['correlates'])]
            continue
        lines += [f'    {line}{published_at(row, line)}{outcome(line, row.get("shows"))}'
                  for line in of_row(row) or ['# no recipe in the paper']]
        told = means(row)
        if about.get('costs'):
            told = paper_cost.lines(study, row, configuration_of(of_row(row)[0]))
        lines += [f'    # {text}' for text in told]
    return lines


def correlation(study: Study, table: str, ending: str, key: str, shown: str) -> List[str]:
    """
    Say how what was reached by rows of another table goes with what they were told.

    :param ending: of the titles of those rows. :param key: what they were told, an override
        of their distillation. :param shown: which of the ways to fewer tokens is looked at.
    :return: where the rows are trained, and Spearman's rank correlation for what was measured.
    """
    reached: Dict[str, List[Tuple[float, float]]] = {}
    for row in study.tables[table]['published']['rows']:
        told = [w.partition('=')[2] for line in row.get('paper', []) for w in line.split()
                if w.startswith(f'{key}=')]
        if not told or 'unfreeze' not in row or not row['title'].endswith(ending):
            continue  # the paper has no fine-tunings for lambda = 0
        for data, ways in over_epochs(row).items():
            for figure, values in ways.get(shown, {}).items():
                if len(values) < len(EPOCHS[data]):
                    continue  # not all epochs of unfreezing were run
                reached.setdefault(f'{data} {figure}', []).append(
                    (float(told[0]), float(np.mean(values))))
    lines = [f'over the rows of table {table}: python -m training reproduce --table {table} '
             '--scale paper --run']
    return lines + [f'here: {name} {stats.spearmanr(*zip(*pairs))[0]:.4f} ({len(pairs)} rows)'
                    for name, pairs in reached.items() if len(pairs) > 2]


def configuration_of(line: str) -> Dict[str, Any]:
    """
    Read the configuration that a command line names.

    :raises ConfigError: it is not there, or an override changes nothing that it has.
    """
    words = line.split()[4:]
    return configuration.load([w for w in words if w.endswith('.yaml')],
                              [w for w in words if '=' in w])


def outcome(line: str, shown: Optional[str] = None) -> str:
    """
    Give what a command has measured where it was run here, in %, its last loss; else nothing.

    :param shown: one way to fewer tokens, such as ``random 16``; None: all that was measured.
    """
    told = [f'{name}: ' + ', '.join(f'{kind} {100 * r["mean"]:.2f} ± {100 * r["std"]:.2f}'
                                    for kind, r in kinds.items())
            for name, kinds in measured(line).items()
            if shown in (None, name) or ' finetune ' not in line]
    told += [f'loss {value:.4f}' for value in distillation_loss(line)]
    return '   # here: ' + '; '.join(told) if told else ''


def measured(line: str) -> Dict[str, Dict[str, Dict[str, float]]]:
    """
    Read what a command has measured: way to fewer tokens, figure, ``mean`` and ``std``.

    Of few-shot classification the way and shot stand for the former.
    """
    if line.startswith('#') or ' describe ' in line:
        return {}
    folder, found = Path(configuration_of(line)['output']), {}
    for kind in ('accuracy', 'miou', 'fewshot'):
        path = folder / f'{kind}.json'
        if path.exists():
            made = json.loads(path.read_text())
            for name, row in made.get(kind, made.get('accuracy', {})).items():
                found.setdefault(name, {}).update(row if kind == 'miou' else {'accuracy': row})
    return found


def distillation_loss(line: str) -> List[float]:
    """Give the last loss on validation clouds that a distillation has logged; [] where none is."""
    if ' distill ' not in line:
        return []
    path = Path(configuration_of(line)['output']) / 'metrics.csv'
    if not path.exists():
        return []
    with path.open() as file:
        return [float(row['val_loss']) for row in csv.DictReader(file) if row.get('val_loss')][-1:]


def cost(study: Study, name: str) -> None:
    """
    Measure what the rows of a table cost at the paper's size.

    :raises ConfigError: it is no table of costs.
    """
    about = published(study, name)
    if not about.get('costs'):
        raise ConfigError(f"table {name} is none of costs, which --cost measures at the paper's "
                          'scale')
    paper_cost.measure(study, [(row, configuration_of(of_row(row)[0])) for row in about['rows']])


def run(study: Study, name: str) -> None:
    """
    Run the commands of a table at the paper's scale one after another, each going on if begun.

    Of a table of correlations, those of the rows that they are over.

    :raises RunError: one failed.
    """
    rows = published(study, name)['rows']
    over = {row['correlates']['table'] for row in rows if 'correlates' in row}
    rows = rows + [row for table in over for row in study.tables[table]['published']['rows']]
    lines = [line for row in rows for line in of_row(row)]
    for line in dict.fromkeys(line for line in lines if not line.startswith('#')):
        print(line, flush=True)
        if subprocess.run([sys.executable, *line.split()[1:]], check=False).returncode:
            raise RunError(f'this failed: {line}')
