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
What the networks of the paper's cost table cost here, at the paper's size, and ours beside them.

In onnxruntime on one thread, side by side; parameters and multiply-accumulates counted.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from foundry_ros.tokens import GROUPS
import yaml

from training.study import fresh
from training.study.runs import Study

OBJECTS = 64     # a batch of the paper's
PLAIN = 'training/configs/small/_plain_teacher.yaml'   # a teacher's encoder, read as a student


def asked(row: Dict[str, Any], config: Dict[str, Any]) -> Optional[Tuple[Dict[str, Any], int]]:
    """
    Give the student and the tokens that are measured for a row.

    :param config: of its recipe. :return: configuration and tokens; None where a gate decides
        how many these are.
    """
    if 'student' not in config:
        student = yaml.safe_load(Path(PLAIN).read_text())['student']
        return {**config, 'student': student, 'teacher': config['model']}, GROUPS
    if 'small' in row:
        return config, row['small']['budget']
    return None if config['student'].get('gate') else (config, config['student']['supertokens'])


def path_of(study: Study) -> Path:
    """Name the file of what was measured."""
    return study.results.parent / 'paper' / 'cost.json'


def measure(study: Study, rows: List[Tuple[Dict[str, Any], Dict[str, Any]]],
            rounds: int = 5) -> None:
    """
    Measure rows of a table and write :func:`path_of`; all stay open, which takes 15 GiB.

    :param rows: each with the configuration of its recipe.
    """
    from training.provenance import commit, machine
    from training.study import cost  # imports what tables need not
    from training.written import write_json
    pairs = {row['title']: asked(row, config) for row, config in rows}
    wanted = {title: pair for title, pair in pairs.items() if pair}
    found = cost.figures(wanted, rounds, OBJECTS)
    for title, (config, budget) in wanted.items():
        found[title].update(tokens=budget, network=fresh.network_name(config))
    write_json(path_of(study), {'commit': commit(), 'machine': machine(), 'threads': 1,
                                'memory_objects': OBJECTS, 'timed_objects': cost.OBJECTS,
                                'first': next(iter(found)), 'rows': found})


def lines(study: Study, row: Dict[str, Any], config: Dict[str, Any]) -> List[str]:
    """
    Say what a row costs here, beside the published figures; [] where none was measured.

    :param config: of its recipe.
    """
    path = path_of(study)
    if not path.exists():
        return []
    told, pair = json.loads(path.read_text()), asked(row, config)
    found = told['rows'].get(row['title'])
    if pair is None:
        return ['not measured here: how many tokens are left is the gate\'s, for each object']
    if found is None:
        return ['not measured here: run this with --cost']
    older = '' if found['network'] == fresh.network_name(pair[0]) else ' (OLDER NETWORK)'
    first, seconds = told['rows'][told['first']], found['milliseconds'] / 1e3
    objects, batch = told['memory_objects'], told['timed_objects']
    return [f'here{older}, {told["machine"]["cpu"]}, one thread: '
            f'{found["parameters"]["total"] / 1e6:.2f} M parameters, '
            f'{found["macs"]["as_table_5"] * objects / 1e9:.2f} G MACs counted as published but '
            f'the encoder once, {found["memory_mib"]:.0f} MiB, {seconds * objects:.2f} s in '
            f'batches of {batch}, {1 / seconds:.1f} objects/s, '
            f'{first["milliseconds"] / found["milliseconds"]:.2f} times as many as '
            f'"{told["first"]}"']
