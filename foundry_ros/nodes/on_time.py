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
``ros2 run foundry_ros on_time``: tells whether the node is on time while the machine is busy.

Clouds come at a steady rate to the real node, in a process of its own, while other processes use
up a part of the machine. The controller takes turns with fixed token budgets under the same load.
The table goes to the terminal, ``on_time.json`` and ``on_time.png`` to the folder ``--output``.
"""

import argparse
from itertools import islice
from pathlib import Path
import subprocess
import sys
from typing import Any, Dict, List

from foundry_ros.bench import machine
from foundry_ros.nodes.rehearsal import as_message, Rehearsal, RehearsalError, Shot
from foundry_ros.output import readable_json, write_file
from foundry_ros.recording import open_recording, RecordingError
from foundry_ros.score import LEAST_POINTS
from foundry_ros.simulate import Simulation
import numpy as np
import psutil
from scipy.optimize import linear_sum_assignment

FRAMES = 20
# So many things of all kinds find a place on a table; of these kinds more do.
CROWDED, SMALL = 8, ('bottle', 'bowl', 'box', 'can', 'cup', 'glasses', 'plier', 'vase')
GOAL = 0.95
BURN = """
import sys, time
duty = float(sys.argv[1])
while True:
    end = time.perf_counter() + 0.01 * duty
    while time.perf_counter() < end:
        pass
    if duty < 1:
        time.sleep(0.01 * (1 - duty))
"""


class Burners:
    """Context manager: processes that use so many per cent of one core."""

    def __init__(self, percent: int):
        """Prepare; nothing runs yet."""
        self._duties = [1.0] * (percent // 100) + [percent % 100 / 100] * (percent % 100 > 0)

    def __enter__(self):
        """Start them."""
        self._processes = [subprocess.Popen([sys.executable, '-c', BURN, str(duty)])
                           for duty in self._duties]
        return self

    def __exit__(self, *_):
        """End them."""
        for process in self._processes:
            process.kill()
            process.wait()


def parser() -> argparse.ArgumentParser:
    """Declare the options."""
    options = argparse.ArgumentParser(prog='ros2 run foundry_ros on_time',
                                      description='Is the node on time under load?')
    options.add_argument('--recording', action='append', default=[], metavar='PATH',
                         help='recording whose clouds are played; may be given several times')
    options.add_argument('--objects', type=int, nargs='*', default=[1, 4, 8, 16], metavar='N',
                         help='simulated tables with so many things (default: 1 4 8 16)')
    options.add_argument('--loads', type=int, nargs='+', default=[0, 50, 100, 200], metavar='N',
                         help='load by others, per cent of one core (default: 0 50 100 200)')
    options.add_argument('--budgets', type=int, nargs='+', default=[0, 64, 16, 1], metavar='N',
                         help='token budgets, 0 = the controller (default: 0 64 16 1)')
    options.add_argument('--rate', type=float, default=10.0, help='clouds a second (default: 10)')
    options.add_argument('--seconds', type=float, default=10.0,
                         help='time of each measurement (default: 10)')
    options.add_argument('--settle', type=float, default=8.0,
                         help='time before it that does not count (default: 3)')
    options.add_argument('--params', metavar='FILE.yaml', help="the node's parameter file")
    options.add_argument('--output', metavar='DIR', default='on_time',
                         help='folder for the results (default: on_time)')
    return options


def main(argv=None) -> int:
    """
    Measure.

    :return: 0, or 1 after a mistake that was told in one line.
    """
    args = parser().parse_args(argv)
    rows: List[Dict[str, Any]] = []
    arguments = ['--params-file', args.params] if args.params else []
    try:
        with Rehearsal(arguments) as rehearsal:
            print(HEAD, flush=True)
            for name, messages, truth in _plays(args):
                for load in args.loads:
                    for row in _measure(rehearsal, messages, truth, load, args):
                        rows.append({'play': name, 'load': load, **row})
                        print(_line(rows[-1]), flush=True)
    except (RehearsalError, RecordingError) as error:
        print(f'on_time: {error}', file=sys.stderr)
        return 1
    print('\n' + verdict(rows))
    output = Path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    write_file(output / 'on_time.json', readable_json(
        {'machine': machine(), 'cores': psutil.cpu_count(), 'rate': args.rate,
         'seconds': args.seconds, 'rows': rows}).encode() + b'\n')
    try:
        from foundry_ros.nodes.on_time_plot import draw
    except ImportError:
        print('on_time: no plot, as matplotlib is not installed', file=sys.stderr)
    else:
        draw(rows, 1000 / args.rate, output / 'on_time.png')
    print(f'results in {output}')
    return 0


def _plays(args):
    """Give what is played: its name, its messages and, where it is simulated, the truth."""
    for path in args.recording:
        with open_recording(path) as recording:
            yield Path(path).name, [as_message(c) for c in islice(recording, FRAMES)], None
    for count in args.objects:
        shots = list(Simulation(objects=count, frames=FRAMES,
                                classes=SMALL if count > CROWDED else ()))
        yield (f'simulated, {count} things', [as_message(cloud) for cloud, _ in shots],
               [truth.objects for _, truth in shots])


def _measure(rehearsal, messages, truth, load, args):
    """Give a row for each budget, in turns under the same load."""
    with Burners(load):
        for budget in args.budgets:
            rehearsal.set_parameter('token_budget', budget)
            if args.settle:
                rehearsal.play(messages, args.rate, args.settle)
            psutil.cpu_percent()
            shots = rehearsal.play(messages, args.rate, args.seconds)
            yield {'budget': budget, 'cpu': psutil.cpu_percent() / 100,
                   **summary(shots, rehearsal.tokens, 1000 / args.rate, truth)}


def summary(shots: List[Shot], tokens: List[int], period_ms: float, truth) -> Dict[str, Any]:
    """
    Summarise what became of clouds.

    :param tokens: budgets of those that were worked on.
    :param truth: the objects in each cloud as in ``truth.json``, or None.
    :return: ``clouds``, ``on_time`` and ``answered`` as shares of them, ``age_p50`` and
        ``age_p95`` [ms] of the answers, ``tokens`` (mean), ``right`` and ``wrong``: shares of the
        things seen in answered clouds that got that name, or None.
    """
    ages = np.array([s.age_ms for s in shots if s.age_ms is not None])
    row = {'clouds': len(shots), 'answered': len(ages) / len(shots),
           'on_time': float(np.sum(ages <= period_ms)) / len(shots),
           'age_p50': float(np.percentile(ages, 50)) if len(ages) else None,
           'age_p95': float(np.percentile(ages, 95)) if len(ages) else None,
           'tokens': float(np.mean(tokens)) if tokens else None, 'right': None, 'wrong': None}
    if truth is not None:
        names = [pair for s in shots if s.age_ms is not None
                 for pair in _names(truth[s.index], s.detections)]
        row['right'] = float(np.mean([a == b for a, b in names] or [0]))
        row['wrong'] = float(np.mean([b not in (a, None, 'unknown') for a, b in names] or [0]))
    return row


def _names(objects, detections):
    """Pair the true name of each thing seen with what was said of it, None = nothing."""
    seen = [item for item in objects if item['points'] >= LEAST_POINTS]
    if not seen or not detections:
        return [(item['class'], None) for item in seen]
    apart = np.linalg.norm(np.array([item['center'] for item in seen])[:, None]
                           - np.array([center for _, center in detections]), axis=2)
    reach = np.array([max(item['size']) / 2 for item in seen])[:, None]
    cost = np.where(apart <= reach, apart, 1e3)
    said = {i: detections[k][0] for i, k in zip(*linear_sum_assignment(cost))
            if cost[i, k] < 1e3}
    return [(item['class'], said.get(i)) for i, item in enumerate(seen)]


HEAD = (f'{"played":24}{"load":>6}{"tokens":>12}{"on time":>9}{"answered":>10}{"age p50":>9}'
        f'{"p95 [ms]":>10}{"CPU":>6}{"right":>8}{"wrong":>7}')


def _line(row) -> str:
    budget = f'auto {row["tokens"] or 0:.0f}' if row['budget'] == 0 else str(row['budget'])
    ages = ''.join('-'.rjust(n) if row[key] is None else f'{row[key]:{n}.0f}'
                   for key, n in (('age_p50', 9), ('age_p95', 10)))
    names = ''.join('-'.rjust(n) if row[key] is None else f'{row[key]:{n}.0%}'
                    for key, n in (('right', 8), ('wrong', 7)))
    return (f'{row["play"]:24}{row["load"]:5d}%{budget:>12}{row["on_time"]:9.0%}'
            f'{row["answered"]:10.0%}{ages}{row["cpu"]:6.0%}{names}')


def verdict(rows: List[Dict[str, Any]]) -> str:
    """Say where the controller was on time, and where any fixed budget was."""
    cells: Dict[Any, Dict[int, Dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row['play'], row['load']), {})[row['budget']] = row
    judged = [cell for cell in cells.values() if 0 in cell and len(cell) > 1]
    could = [cell for cell in judged
             if max(row['on_time'] for b, row in cell.items() if b) >= GOAL]
    kept = [cell for cell in judged if cell[0]['on_time'] >= GOAL]
    both = [cell for cell in could if cell[0]['on_time'] >= GOAL]
    lines = [f'{GOAL:.0%} of the clouds on time: some fixed budget in {len(could)} of '
             f'{len(judged)} cases, the controller in {len(kept)} ({len(both)} of these '
             f'{len(could)}).']
    idle = [cell for (_, load), cell in cells.items() if load == 0 and 0 in cell and 64 in cell
            and cell[0]['right'] is not None]
    if idle:
        lines.append('Named rightly without load: controller ' + ', '.join(
            f'{cell[0]["right"]:.1%}' for cell in idle) + '; fixed 64 ' + ', '.join(
            f'{cell[64]["right"]:.1%}' for cell in idle) + '.')
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())
