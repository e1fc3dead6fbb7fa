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
``bench --network``: the student beside what else could be run, on the same inputs in one run.

The others are ONNX files of a folder, as ``python -m training baselines`` writes them. All take
turns, batch by batch and round by round, so that ratios hold whatever else the machine does; each
is run as onnxruntime runs it by itself, with so many threads. Ratios are to ``teacher.onnx``,
the teacher in float32 as published, once for the networks alone and once with farthest points and
neighbours on both sides.
"""

from dataclasses import dataclass
from pathlib import Path
import time
from typing import Any, Callable, Dict, List, Sequence

from foundry_ros.bundle import Bundle, BundleError
from foundry_ros.student import open_session
from foundry_ros.tokens import group, POINTS
import numpy as np

BATCHES = (1, 8, 64)
THREADS = (1, 2)
SHORTEST_S = 0.01
TEACHER, FAIR = 'teacher', 'teacher_exact_int8'
# Ratios to reach: budget -> network alone, with FPS and kNN, over the teacher with the same
# algebra and precision.
GOALS = {16: (15, 12, 5), 1: (25, 18, 8)}
# As onnxruntime does by default, but silent between runs: others are measured then.
SPIN = {'session.intra_op.allow_spinning': '1', 'session.force_spinning_stop': '1'}


@dataclass(frozen=True)
class Graph:
    """An ONNX file in memory, and how it is called."""

    path: Path
    model: bytes


@dataclass(frozen=True)
class Contestant:
    """Something that is timed: ``network`` runs on what ``tokens`` makes of points (B, n, 3)."""

    name: str
    title: str
    tokens: Callable[[np.ndarray], Dict[str, np.ndarray]]
    network: Callable[[Dict[str, np.ndarray]], Any]


def run(folder, bundles: Sequence[Bundle], rounds: int, batches: Sequence[int] = (),
        threads: Sequence[int] = ()) -> Dict[str, Any]:
    """
    Time all of them.

    :param folder: with the ONNX files of the others. :param bundles: at every budget.
    :param rounds: for one object at a time; larger batches have fewer, at least three.
    :param batches: and threads: those that are timed, :data:`BATCHES` and :data:`THREADS`.
    :return: threads -> name -> ``title`` and ``batches``: batch -> ``ms`` an object of the
        network and ``tokens_ms`` of what comes before it, medians; ``ratio`` and ``with_tokens``
        to the teacher, ``fair`` to the teacher with exact algebra in 8 bits, medians of ratios in
        the same round.
    :raises BundleError: the folder holds no teacher.
    """
    files = sorted(Path(folder).glob('*.onnx'))
    if TEACHER not in [file.stem for file in files]:
        raise BundleError(f'there is no {TEACHER}.onnx in {folder}: write the networks to compare '
                          'with by "python -m training baselines --config training/configs/paper/'
                          'baselines.yaml"')
    result: Dict[str, Any] = {}
    for count in threads or THREADS:
        contestants = [c for file in files for c in [_other(file, count)]]
        contestants += [c for bundle in bundles for c in _students(bundle, count)]
        result[str(count)] = _measure(contestants, rounds, batches or BATCHES)
    return result


def _open(graph, threads):
    return open_session(graph, pool=threads, entries=SPIN)


def _other(file: Path, threads: int) -> Contestant:
    """Open one of the others."""
    session = _open(Graph(file, file.read_bytes()), threads)
    inputs = [each.name for each in session.get_inputs()]
    title = session.get_modelmeta().custom_metadata_map.get('title', file.stem)
    return Contestant(file.stem, title, _levels if 'near_groups' in inputs else _tokens,
                      lambda made: session.run(None, {name: made[name] for name in inputs}))


def _students(bundle: Bundle, threads: int) -> List[Contestant]:
    """Open a bundle: a contestant for each budget."""
    session = _open(bundle, threads)
    label = _label(bundle)

    def at(budget):
        value = np.array(budget, np.int64)
        return lambda made: session.run(None, {**made, 'token_budget': value})
    return [Contestant(f'{label} {b}', f'{label}, {b} tokens', _tokens, at(b))
            for b in bundle.token_budgets]


def _tokens(points: np.ndarray) -> Dict[str, np.ndarray]:
    """Make what the student and the teacher read."""
    made = group(points)
    return {'groups': made.groups, 'centers': made.centers}


def _levels(points: np.ndarray) -> Dict[str, np.ndarray]:
    """Make what PointNet++ reads: groups of points, and groups of their centres."""
    near = group(points, 512, 32)
    far = group(near.centers, 128, 64)
    return {'near_groups': near.groups, 'far_groups': far.groups,
            'far_members': far.neighbours.astype(np.float32)}


def clouds(batch: int) -> np.ndarray:
    """Make objects: points (B, 1024, 3) on ellipsoids in the unit sphere."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(batch, POINTS, 3))
    points /= np.linalg.norm(points, axis=2, keepdims=True)
    return (points * rng.uniform(0.3, 1, (batch, 1, 3))).astype(np.float32)


def _measure(contestants, rounds, batches):
    """Give the row of each contestant."""
    rows = {c.name: {'title': c.title, 'batches': {}} for c in contestants}
    for batch in batches:
        points = clouds(batch)
        made = {make: make(points) for make in {c.tokens for c in contestants}}
        calls = {c.name: _calls(c.network, made[c.tokens]) for c in contestants}
        turns = range(max(rounds // batch, 3))
        times = [_turn(contestants, made, calls, points, batch) for _ in turns]
        for name, row in rows.items():
            row['batches'][str(batch)] = _row(times, name)
    return rows


def _turn(contestants, made, calls, points, batch):
    """Give the milliseconds an object of each contestant, and those of its tokens."""
    tokens = {make: _timed(make, points, 3) for make in made}
    return {c.name: (1e3 / batch * _timed(c.network, made[c.tokens], calls[c.name]),
                     1e3 / batch * tokens[c.tokens]) for c in contestants}


def _calls(work, argument) -> int:
    """Warm something up; tell how many calls fill the shortest time that is worth measuring."""
    work(argument)
    return 1 + int(SHORTEST_S / _timed(work, argument, 1))


def _timed(work, argument, calls) -> float:
    """Give the seconds of a call; one before it brings what it needs back into the caches."""
    work(argument)
    start = time.perf_counter()
    for _ in range(calls):
        work(argument)
    return (time.perf_counter() - start) / calls


def _row(times, name):
    """Summarise the turns of a contestant."""
    def median(value):
        return round(float(np.median([value(turn) for turn in times])), 4)
    row = {'ms': median(lambda t: t[name][0]), 'tokens_ms': median(lambda t: t[name][1]),
           'ratio': median(lambda t: t[TEACHER][0] / t[name][0]),
           'with_tokens': median(lambda t: sum(t[TEACHER]) / sum(t[name]))}
    if FAIR in times[0]:
        row['fair'] = median(lambda t: t[FAIR][0] / t[name][0])
    return row


def format_table(result: Dict[str, Any]) -> str:
    """Write the result as tables, one for each number of threads."""
    lines = ['Networks side by side: ms an object; times as fast as the teacher as published, and '
             'with farthest points', 'and neighbours on both sides; times as fast as the teacher '
             'with exact algebra in 8 bits']
    for threads, rows in result.items():
        batches = list(next(iter(rows.values()))['batches'])
        lines += ['', f'{f"{threads} thread(s)":34}' + ''.join(
            f'{f"batch {b}":>9}{"ratio":>8}{"with":>8}{"fair":>7}' for b in batches)]
        for row in rows.values():
            cells = (f'{v["ms"]:9.2f}{v["ratio"]:7.1f}x{v["with_tokens"]:7.1f}x'
                     f'{v.get("fair", float("nan")):6.1f}x' for v in row['batches'].values())
            lines.append(f'{row["title"]:34}' + ''.join(cells))
        lines += _verdict(rows)
    return '\n'.join(lines)


def _verdict(rows):
    """Say where bundles stand to the goals: the least ratio of any batch."""
    lines = []
    for label in labels(rows):
        mine = of_label(rows, label)
        for budget, goals in GOALS.items():
            if budget in mine:
                row = rows[mine[budget]]
                least = [min(v.get(key, float('nan')) for v in row['batches'].values())
                         for key in ('ratio', 'with_tokens', 'fair')]
                said = ', '.join(f'{name} {ratio:.1f} of {goal}' for name, ratio, goal in zip(
                    ('alone', 'with tokens', 'fair'), least, goals))
                lines.append(f'  {label} at {budget}: at least {said}')
        growth = [rows[mine[max(mine)]]['batches'][batch]['ms'] / each['ms']
                  for batch, each in rows[mine[min(mine)]]['batches'].items()]
        lines.append(f'  {label}: the largest budget costs {min(growth):.1f} to '
                     f'{max(growth):.1f} times the smallest')
    return lines


def labels(rows: Dict[str, Any]) -> List[str]:
    """List the bundles among the rows of a number of threads: name and precision."""
    return list(dict.fromkeys(name.rpartition(' ')[0] for name in rows if ' ' in name))


def of_label(rows: Dict[str, Any], label: str) -> Dict[int, str]:
    """Give the rows of a bundle by budget."""
    return {int(name.rpartition(' ')[2]): name for name in rows
            if name.rpartition(' ')[0] == label}


def accuracy(bundles: Sequence[Bundle]) -> Dict[str, Dict[str, Dict[str, float]]]:
    """Give what manifests say of accuracy: bundle -> budget -> kind of cloud -> share."""
    found: Dict[str, Dict[str, Dict[str, float]]] = {}
    for bundle in bundles:
        stated = bundle.manifest['accuracy']
        found[_label(bundle)] = {
            str(budget): {kind: row[kind]['accuracy'] for kind in ('complete', 'single_view')
                          if isinstance(row.get(kind), dict) and 'accuracy' in row[kind]}
            for budget, row in stated.items() if isinstance(row, dict)}
    return found


def _label(bundle):
    return f'{bundle.name} {bundle.manifest.get("precision", "float32")}'
