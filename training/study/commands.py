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
from typing import Any, Dict, List, Optional

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
        lines += [f'{row["title"]}: {", ".join(figures) or NOWHERE}',
                  *(f'    {line}{outcome(line, row.get("shows"))}'
                    for line in of_row(row) or ['# no recipe in the paper'])]
    return lines


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
    if ' finetune ' not in line:
        return ''
    told = []
    folder = Path(configuration_of(line)['output'])
    for path in (folder / 'accuracy.json', folder / 'miou.json'):
        if path.exists():
            for name, row in json.loads(path.read_text())[path.stem].items():
                if shown not in (None, name):
                    continue
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
    lines = [line for row in study.tables[name]['published']['rows'] for line in of_row(row)]
    for line in dict.fromkeys(line for line in lines if not line.startswith('#')):
        print(line, flush=True)
        if subprocess.run([sys.executable, *line.split()[1:]], check=False).returncode:
            raise RunError(f'this failed: {line}')
