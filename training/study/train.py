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
Train and measure what a table lacks: each stage a process of its own, some runs at a time.

A run that was stopped goes on from its last checkpoint; one that another of these programs has
taken is left to it; what is there for the configuration as it is now is not done again.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from filelock import FileLock, Timeout

from training.config import RunError
from training.provenance import commit, machine
from training.study import runs
from training.study.fresh import all_starts, current, learned, starts
from training.study.runs import Run, Study
from training.written import write_json

ONE_THREAD = {'OMP_NUM_THREADS': '1', 'TORCHINDUCTOR_COMPILE_THREADS': '1'}


def wanted(study: Study, table: str, names: Optional[Sequence[str]] = None,
           seeds: Optional[int] = None) -> List[Tuple[Run, int]]:
    """
    List the runs of a table: the first seed of every row, then the second ones.

    :param names: of the rows that are asked for, None for all. :param seeds: at most so many.
    :raises RunError: the table has no such row.
    """
    rows = study.rows(table)
    unknown = sorted(set(names or ()) - {run.name for run in rows})
    if unknown:
        raise RunError(f'table {table} has no row {unknown[0]!r}, but '
                       f'{", ".join(run.name for run in rows)}')
    rows = [run for run in rows if names is None or run.name in names]
    most = max(run.seeds for run in rows)
    return [(run, seed) for seed in range(1, min(most, seeds or most) + 1)
            for run in rows if seed <= run.seeds]


def result_of(study: Study, run: Run, seed: int) -> Optional[Dict[str, Any]]:
    """Read the figures of a run, where there are any."""
    path = study.result(run, seed)
    return json.loads(path.read_text()) if path.exists() else None


class Trainer:
    """
    Runs what is missing.

    :param root: folder that holds the data sets; None: that of the configurations.
    """

    def __init__(self, study: Study, root: Optional[str] = None):
        self.study, self.root = study, root
        self.children: List[subprocess.Popen] = []
        self.failed: List[str] = []
        self.needs = ''
        self.stopped = False

    def run(self, table: str, jobs: int, names: Optional[Sequence[str]] = None,
            seeds: Optional[int] = None) -> None:
        """
        Train and measure what a table lacks, or some rows of it, see :func:`wanted`.

        :raises RunError: some run failed; the others went on.
        """
        study = self.study
        self.needs = study.tables[table].get('published', {}).get('needs', '')
        missing = [(run, seed) for run, seed in wanted(study, table, names, seeds)
                   if self._lacks(run, seed)]
        print(f'table {table}: {len(missing)} runs to do', flush=True)
        with ThreadPoolExecutor(jobs) as pool:
            try:
                list(pool.map(lambda pair: self._one(*pair), missing))
            except KeyboardInterrupt:
                self.stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                for child in list(self.children):
                    child.terminate()
        if self.stopped:
            raise RunError('stopped; the same command goes on from the last checkpoints')
        if self.failed:
            raise RunError('; '.join(self.failed))

    def _lacks(self, run, seed):
        found = result_of(self.study, run, seed)
        if found is None:
            return True
        if current(self.study, run, found, self.needs):
            return False
        same = learned(self.study, run, found)
        print(f'{run.name} {seed}: ' + (
            'there are figures that were not measured' if same else
            'its configuration or its teacher has changed, it is trained anew'), flush=True)
        return True

    def _one(self, run: Run, seed: int) -> None:
        """Train and measure one run, unless another program does."""
        folder, name = self.study.folder(run, seed), f'{run.name} {seed}'
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f'{folder}.lock', timeout=0):
                found = result_of(self.study, run, seed)
                if found is None or not current(self.study, run, found, self.needs):
                    self._train(run, seed, name)
        except Timeout:
            print(f'{name}: another program has taken it', flush=True)
        except RunError as error:
            if self.stopped:
                return
            self.failed.append(str(error))
            print(f'{name}: {error}', flush=True)

    def _train(self, run, seed, name):
        """Do the stages that are not done, measure, and write the figures."""
        configs, seconds, before = runs.resolved(self.study, run, seed), {}, []
        for stage in run.stages:
            before = before + [runs.essence({stage.verb: configs[stage.verb]}),
                               starts(configs[stage.verb])]
            seconds[stage.verb] = self._stage(run, seed, stage, before, name)
        self._call('measure', run, seed, run.stages[-1], name)
        folder = self.study.folder(run, seed)
        measured = json.loads((folder / run.stages[-1].verb / 'measured.json').read_text())
        seconds['measure'] = measured.pop('seconds')
        from training.tasks.origin import origin_of  # imports what tables need not
        trained = {stage.verb: origin_of(folder / stage.verb / 'last.ckpt')
                   for stage in run.stages}
        for origin in trained.values():
            origin.pop('config', None)
        computer = machine(configs[run.stages[-1].verb]['trainer']['accelerator'])
        found = {'run': run.name, 'seed': seed, 'date': date.today().isoformat(),
                 'commit': commit(), 'machine': computer, 'threads': 1, 'seconds': seconds,
                 'trained': trained, **measured, 'starts': all_starts(configs),
                 'configs': runs.essence(configs)}
        path = self.study.result(run, seed)
        write_json(path, found)
        print(f'{name}: wrote {path}', flush=True)

    def _stage(self, run, seed, stage, before, name) -> float:
        """Do a stage, going on where it stopped; give the seconds it took in all."""
        folder = self.study.folder(run, seed) / stage.verb
        path = folder / 'stage.json'
        record = {'before': json.loads(json.dumps(before)), 'seconds': 0.0, 'done': False}
        if path.exists():
            old = json.loads(path.read_text())
            if old['before'] == record['before']:
                record = old
            else:
                print(f'{name}: {stage.verb} was begun otherwise and begins anew', flush=True)
        if record['seconds'] == 0 and folder.exists():
            shutil.rmtree(folder)
        if record['done']:
            return record['seconds']
        folder.mkdir(parents=True, exist_ok=True)
        record['seconds'] = record['seconds'] or 1e-3  # begun
        write_json(path, record)
        print(f'{name}: {stage.verb}', flush=True)
        begun = time.time()
        try:
            self._call(stage.verb, run, seed, stage, name, '--resume')
            record['done'] = True
        finally:
            record['seconds'] = round(record['seconds'] + time.time() - begun, 1)
            write_json(path, record)
        return record['seconds']

    def _call(self, verb, run, seed, stage, name, *more) -> None:
        """Run a verb of this program as a process; what it says goes to ``log.txt``."""
        configs, overrides = runs.arguments(self.study, run, seed, stage)
        root = ['--data-root', self.root] if self.root else []
        log = self.study.folder(run, seed) / 'log.txt'
        files = [part for c in configs for part in ('--config', c)]
        status = self.process([verb, *root, *more, *files, *overrides], log)
        if self.stopped:
            raise RunError('stopped')
        if status:
            raise RunError(f'{name}: {verb} failed ({complaint(log)}); see {log}')

    def process(self, arguments: List[str], log: Path) -> int:
        """Run this program with other arguments, on one thread; give its exit status."""
        if self.stopped:
            return 1
        with log.open('a') as file:
            child = subprocess.Popen([sys.executable, '-m', 'training', *arguments], stdout=file,
                                     stderr=subprocess.STDOUT, env={**os.environ, **ONE_THREAD})
            self.children.append(child)
            try:
                return child.wait()
            finally:
                self.children.remove(child)


def complaint(log: Path) -> str:
    """Give the line of a log that says what went wrong: the last one of an error, or the last."""
    lines = log.read_text(errors='replace').strip().splitlines() or ['it said nothing']
    error = re.compile(r'error: |[\w.]*(Error|Exception|Interrupt)\b')
    told = [line for line in lines if error.match(line)]
    return (told or lines)[-1][:200]
