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

"""Whether figures are of the configuration, the teacher and the network as they are now."""

from functools import lru_cache
import hashlib
import json
from pathlib import Path
from typing import Any, Dict, Tuple

from training.study import runs
from training.study.runs import Run, Study


def starts(config: Dict[str, Any]) -> Dict[str, str]:
    """Name the files made elsewhere that a stage begins with, with their checksums."""
    files = [config.get('pretrained'), config.get('heads', {}).get('begin')]
    return {f: hashlib.sha256(Path(f).read_bytes()).hexdigest()
            for f in files if f and Path(f).exists()}


def all_starts(configs: Dict[str, Dict[str, Any]]) -> Dict[str, str]:
    """Name the files that the stages of a run begin with, see :func:`starts`."""
    return {k: v for config in configs.values() for k, v in starts(config).items()}


@lru_cache(maxsize=None)
def _now(study: Study, run: Run, seed: int) -> Tuple[Dict[str, Any], Dict[str, str]]:
    """Give what a run would learn now, and from what it would begin."""
    configs = runs.resolved(study, run, seed)
    return runs.essence(configs), all_starts(configs)


def learned(study: Study, run: Run, found: Dict[str, Any]) -> bool:
    """Tell whether figures are of what would be learned now, from the same beginning."""
    return (found['configs'], found.get('starts')) == _now(study, run, found['seed'])


def current(study: Study, run: Run, found: Dict[str, Any], needs: str = '') -> bool:
    """
    Tell whether figures are those of teacher, configuration and budgets as they are now.

    :param needs: what has to be among the figures of some budget, keys joined by dots.
    """
    return learned(study, run, found) and {
        str(b) for b in run.budgets} <= found['budgets'].keys() and (
        not needs or any(_has(row, needs) for row in found['budgets'].values()))


def _has(row: Dict[str, Any], needs: str) -> bool:
    for key in needs.split('.'):
        row = row.get(key, {})
    return bool(row)


def network_key(config: Dict[str, Any]) -> str:
    """Name what decides what a network costs: runs that differ otherwise share a measurement."""
    unread = {'budgets', 'from_teacher', *runs.unread(config['student'])}
    student = {k: v for k, v in config['student'].items() if k not in unread}
    return json.dumps([config['model'], config['teacher'], student], sort_keys=True)


def network_name(config: Dict[str, Any]) -> str:
    """Name the network of a configuration, short enough for a file."""
    return hashlib.sha256(network_key(config).encode()).hexdigest()[:16]


@lru_cache(maxsize=None)
def network_of(study: Study, run: Run) -> str:
    """Name the network of a run as it is now."""
    return network_name(runs.resolved(study, run, 1)['finetune'])
