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
The runs of a study, from its YAML file: what is trained, from which seeds, and what is measured.

A run has stages (``distill``, ``finetune``), each with configurations laid over each other and
overrides; ``training/configs/small/runs.yaml`` says what the keys mean.
"""

from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import yaml

from training import config as configuration
from training.config import ConfigError

STAGES = ('distill', 'finetune')
# What does not change what is learned: where things are, and how a bundle is described.
ELSEWHERE = ('output', 'bundle', 'distilled', 'pretrained', 'measure', 'kept')
HERE = ('root', 'cache', 'keep_teacher_tokens')  # of the data: where they are
LEARNED = ('epochs', 'clip')  # of what a trainer is told; the rest is the machine's
# What students of regions alone read of their section.
REGIONS = ('assignment', 'pooled', 'encode', 'residual', 'early')


@dataclass(frozen=True)
class Stage:
    """A verb of the command line with its configurations and overrides."""

    verb: str
    configs: Tuple[str, ...]
    overrides: Tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """
    A row of a table: what is trained, from so many seeds, and measured at so many budgets.

    :param budgets: numbers of tokens, and other ways to fewer, see :func:`measure.look`.
    """

    name: str
    title: str
    seeds: int
    budgets: Tuple[Union[int, str], ...]
    stages: Tuple[Stage, ...]

    @property
    def numbers(self) -> Tuple[int, ...]:
        """Give those budgets that are numbers of tokens."""
        return tuple(b for b in self.budgets if isinstance(b, int))


@dataclass(frozen=True, eq=False)  # one is not another: what is known of it can be kept
class Study:
    """
    All runs of a file, the tables that they are the rows of, and where things are kept.

    :param published: folder of the paper's tables, in which runs stand beside published figures.
    """

    output: Path
    results: Path
    runs: Dict[str, Run]
    tables: Dict[str, Dict[str, Any]]
    published: Optional[Path] = None

    def rows(self, table: str) -> List[Run]:
        """Give the runs of a table."""
        if table not in self.tables:
            raise ConfigError(f'there is no table {table!r}, but {", ".join(self.tables)}')
        return [self.runs[name] for name in self.tables[table]['rows']]

    def folder(self, run: Run, seed: int) -> Path:
        """Give the folder of a run's stages."""
        return self.output / run.name / str(seed)

    def result(self, run: Run, seed: int) -> Path:
        """Give the file of a run's figures."""
        return self.results / f'{run.name}_{seed}.json'


def read(path) -> Study:
    """
    Read a study.

    :raises ConfigError: what a table or run names is not there.
    """
    path = Path(path)
    try:
        text = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f'cannot read {path}: {" ".join(str(error).split())}') from None
    runs = {name: _run(name, row or {}, text, path) for name, row in text['runs'].items()}
    for table, about in text['tables'].items():
        for name in about['rows']:
            if name not in runs:
                raise ConfigError(f'{path}: table {table} has a row {name!r}, which is no run')
    published = path.parent / text['published'] if 'published' in text else None
    return Study(Path(text['output']), Path(text['results']), runs, text['tables'], published)


def _run(name, row, text, path) -> Run:
    common = text['all']
    known = {'title', 'seeds', 'budgets', 'over', 'stages', *STAGES}
    if set(row) - known:
        raise ConfigError(f'{path}: run {name} has {sorted(set(row) - known)[0]!r}, '
                          f'known are {", ".join(sorted(known))}')
    stages = []
    for verb in row.get('stages', STAGES):
        own = row.get(verb, {})
        files = [*own.get('config', [f'{verb}.yaml']), *row.get('over', [])]
        stages.append(Stage(verb, tuple(str(path.parent / f) for f in files),
                            (*common.get(verb, []), *own.get('set', []))))
    return Run(name, row.get('title', name), row.get('seeds', common['seeds']),
               tuple(row.get('budgets', common['budgets'])), tuple(stages))


def arguments(study: Study, run: Run, seed: int, stage: Stage) -> Tuple[List[str], List[str]]:
    """Give the configuration files and the overrides of a stage; it follows those before it."""
    folder = study.folder(run, seed)
    overrides = [*stage.overrides, f'seed={seed}', f'output={folder / stage.verb}']
    verbs = [s.verb for s in run.stages]
    if stage.verb == 'finetune':
        overrides.append(f'measure.budgets={list(run.budgets)}')
        if 'distill' in verbs:
            overrides.append(f'distilled={folder / "distill/last.ckpt"}')
    return list(stage.configs), overrides


def resolved(study: Study, run: Run, seed: int) -> Dict[str, Dict[str, Any]]:
    """Give the configuration of each stage."""
    return {stage.verb: configuration.load(*arguments(study, run, seed, stage))
            for stage in run.stages}


def unread(student: Dict[str, Any]) -> Tuple[str, ...]:
    """Name what a student of this section does not read of it."""
    return REGIONS if {'gate', 'reduce'} & student.keys() else ()


def essence(configs: Dict[str, Dict[str, Any]]) -> Dict[str, Any]:
    """Leave of the configurations of stages what decides what is learned."""
    kept = {}
    for verb, config in configs.items():
        own = {k: v for k, v in config.items() if k not in ELSEWHERE}
        own['data'] = {k: v for k, v in config['data'].items() if k not in HERE}
        own['trainer'] = {k: config['trainer'][k] for k in LEARNED}
        own['student'] = {k: v for k, v in config['student'].items()
                          if k not in unread(config['student'])}
        own['starts'] = bool(config.get('distilled'))
        kept[verb] = own
    return json.loads(json.dumps(kept))  # as it comes back from a file
