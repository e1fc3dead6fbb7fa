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

import json
from pathlib import Path
import subprocess
import sys
from typing import Any, Dict, List, Optional, Tuple

from scipy import stats

from training import config as configuration
from training.config import ConfigError, RunError
from training.study.published import NOWHERE
from training.study.runs import Study

PAPER = 'training/configs/paper'
DATA = ('modelnet40', 'omniobject3d', 'scanobjectnn_bg', 'scanobjectnn_only', 'scanobjectnn_pb',
        'shapenet55', 'shapenetpart')
UNFREEZING = ('a fine-tuning here is of one of them: add unfreeze=EPOCH (0, 100 or 150; parts: 0 '
              'or 300) and output=FOLDER for another')


def of_row(row: Dict[str, Any]) -> List[str]:
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


def lines_of(study: Study, name: str) -> List[str]:
    """Give the lines of a table at the paper's scale: its figures, and a command for each."""
    if name not in study.tables or 'published' not in study.tables[name]:
        raise ConfigError(f"table {name!r} is none of the paper's, it has no recipe there")
    about = study.tables[name]['published']
    lines = [study.tables[name]['title'], f'paper: {about["source"]}', '']
    if 'unfreezing' in about['source']:
        lines[2:2] = [UNFREEZING]
    for row in about['rows']:
        figures = [f'{about["columns"][k]} {row["published"][k]}' for k in about['columns']
                   if k in row['published']]
        lines.append(f'{row["title"]}: {", ".join(figures) or NOWHERE}')
        if 'correlates' in row:
            lines += [f'    # {line}' for line in correlation(study, **row['correlates'])]
            continue
        lines += [f'    {line}{outcome(line, row.get("shows"))}'
                  for line in of_row(row) or ['# no recipe in the paper']]
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
        if not told or not row['title'].endswith(ending):
            continue
        for line in of_row(row):
            for figure, values in measured(line).get(shown, {}).items():
                name = Path(configuration_of(line)['output']).name
                reached.setdefault(f'{name} {figure}', []).append(
                    (float(told[0]), values['mean']))
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
    Give what a fine-tuning has measured where it was run here, in %; else nothing.

    :param shown: one way to fewer tokens, such as ``random 16``; None: all that was measured.
    """
    told = [f'{name}: ' + ', '.join(f'{kind} {100 * r["mean"]:.2f} ± {100 * r["std"]:.2f}'
                                    for kind, r in kinds.items())
            for name, kinds in measured(line).items() if shown in (None, name)]
    return '   # here: ' + '; '.join(told) if told else ''


def measured(line: str) -> Dict[str, Dict[str, Dict[str, float]]]:
    """Read what a fine-tuning has measured: way to fewer tokens, figure, ``mean`` and ``std``."""
    if ' finetune ' not in line:
        return {}
    folder, found = Path(configuration_of(line)['output']), {}
    for path in (folder / 'accuracy.json', folder / 'miou.json'):
        if path.exists():
            for name, row in json.loads(path.read_text())[path.stem].items():
                found.setdefault(name, {}).update(
                    row if path.stem == 'miou' else {'accuracy': row})
    return found


def run(study: Study, name: str) -> None:
    """
    Run the commands of a table at the paper's scale one after another, each going on if begun.

    Of a table of correlations, those of the rows that they are over.

    :raises RunError: one failed.
    """
    rows = study.tables[name]['published']['rows']
    over = {row['correlates']['table'] for row in rows if 'correlates' in row}
    rows = rows + [row for table in over for row in study.tables[table]['published']['rows']]
    lines = [line for row in rows for line in of_row(row)]
    for line in dict.fromkeys(line for line in lines if not line.startswith('#')):
        print(line, flush=True)
        if subprocess.run([sys.executable, *line.split()[1:]], check=False).returncode:
            raise RunError(f'this failed: {line}')
