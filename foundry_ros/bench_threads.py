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
``bench --thread-study``: what two threads are worth to the student, and what they cost.

Compared are threads that share objects, as the student has them, and onnxruntime's pool alone,
whose threads share each operation and sleep or spin in between. A setting is opened, measured and
closed in turn, round by round, because threads that spin disturb others.
"""

from contextlib import contextmanager
from itertools import product
import subprocess
import sys
import time
from typing import Any, Dict

from foundry_ros.bundle import Bundle
from foundry_ros.student import open_session, SLEEP, Student
from foundry_ros.tokens import GROUPS, NEIGHBOURS
import numpy as np

BATCHES = (1, 8)
TAKEN = (0, 1, 2)
RUNS = 3
# Clouds come so many seconds after one is done; who never sleeps is put behind by the scheduler.
PAUSE_S = 0.04
SPIN = {'session.intra_op.allow_spinning': '1'}
POOLS = {'pool of 2, sleeping': SLEEP,
         'pool of 2, spinning': SPIN,
         'pool of 2, spinning in a run': {**SPIN, 'session.force_spinning_stop': '1'}}


def run(bundle: Bundle, rounds: int) -> Dict[str, Any]:
    """
    Measure each setting while other processes take no core, one and two.

    :param rounds: in each of which every setting has its turn.
    :return: cores taken -> setting -> ``ms`` (``batch x tokens`` -> a run, median), ``speedup``
        (over one thread in the same round, median), ``cpu_ms`` (processor time a run, median),
        ``idle`` (cores in use between runs, median).
    """
    menu = bundle.token_budgets
    middle = 16 if 16 in menu else menu[len(menu) // 2]
    cases = list(product(BATCHES, dict.fromkeys((menu[0], middle, menu[-1]))))
    result: Dict[str, Any] = {}
    for taken in TAKEN:
        with _burning(taken):
            turns = [{name: _measure(student, cases) for name, student in _settings(bundle)}
                     for _ in range(rounds)]
        result[str(taken)] = {name: _summary(turns, name, cases) for name in turns[0]}
    return result


def _settings(bundle):
    """Open one setting after the other; what came before is gone."""
    yield '1 thread', Student(bundle, threads=1)
    yield '2 threads share objects', Student(bundle, threads=2)
    for name, entries in POOLS.items():
        yield name, _pool(open_session(bundle, pool=2, entries=entries))


def _pool(session):
    """Give what runs a session as a student is run."""
    return lambda groups, centers, budget: session.run(None, {
        'groups': groups, 'centers': centers, 'token_budget': np.array(budget, np.int64)})


def _measure(student, cases):
    """Give seconds and processor seconds of each case, and the cores in use between runs."""
    rng = np.random.default_rng(0)
    times, pauses = {}, []
    for batch, budget in cases:
        groups = rng.normal(0, 0.1, (batch, GROUPS, NEIGHBOURS, 3)).astype(np.float32)
        centers = rng.normal(0, 0.5, (batch, GROUPS, 3)).astype(np.float32)
        student(groups, centers, budget)
        rows = []
        for _ in range(RUNS):
            pauses.append(_timed(lambda: time.sleep(PAUSE_S)))
            rows.append(_timed(lambda: student(groups, centers, budget)))
        times[batch, budget] = np.median(rows, 0)
    seconds, cpu = np.sum(pauses, 0)
    return times, cpu / seconds


def _timed(work):
    """Do something; give the seconds and processor seconds that it took."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu


def _summary(turns, name, cases):
    """Summarise the turns of one setting."""
    def each(value, digits):
        return {f'{b} x {t}': round(float(np.median([value(turn, (b, t)) for turn in turns])),
                                    digits) for b, t in cases}
    return {'ms': each(lambda turn, case: 1e3 * turn[name][0][case][0], 2),
            'speedup': each(lambda turn, case: turn['1 thread'][0][case][0]
                            / turn[name][0][case][0], 2),
            'cpu_ms': each(lambda turn, case: 1e3 * turn[name][0][case][1], 2),
            'idle': round(float(np.median([turn[name][1] for turn in turns])), 3)}


@contextmanager
def _burning(count):
    """Keep so many processes busy meanwhile."""
    burners = [subprocess.Popen([sys.executable, '-c', 'while True: pass'])
               for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def format_table(result: Dict[str, Any]) -> str:
    """Write the result as tables, one for each number of cores taken."""
    lines = ['Threads of the student: ms a run of objects x tokens, times as fast as one thread, '
             'processor ms; cores in use between runs']
    for taken, rows in result.items():
        cases = list(next(iter(rows.values()))['ms'])
        lines.append(f'{f"others take {taken} cores":28}'
                     + ''.join(f'{case:>21}' for case in cases) + f'{"idle":>8}')
        for name, row in rows.items():
            cells = (f'{row["ms"][c]:8.1f}{row["speedup"][c]:5.2f}x{row["cpu_ms"][c]:7.1f}'
                     for c in cases)
            lines.append(f'{name:28}' + ''.join(cells) + f'{row["idle"]:8.3f}')
    return '\n'.join(lines)
