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

"""``bench --profile``: where the time goes, of a frame by function and of the model by node."""

from collections import defaultdict
import cProfile
import json
from pathlib import Path
import pstats
import tempfile
from typing import Any, Dict, Iterable, List

from foundry_ros import bench_frames, config
from foundry_ros.bundle import Bundle
from foundry_ros.cloud import Cloud
from foundry_ros.student import Student
from foundry_ros.tokens import GROUPS, NEIGHBOURS
import numpy as np
import onnxruntime

FUNCTIONS, NODES = 20, 12
RUNS = 50


def run(clouds: Iterable[Cloud], student: Student, params: config.Params) -> Dict[str, Any]:
    """
    Profile frames at 16 tokens, and the model on one object and on eight.

    :return: ``frame``: rows of ``where``, ``own_ms`` and ``ms`` a frame, ``calls``, the most
        expensive first; ``model``: ``objects x tokens`` -> ``ms`` and rows of ``node``,
        ``operator``, ``ms``, and operators' sums.
    """
    budgets = bench_frames.budgets_of(student)
    return {'frame': of_frames(clouds, student, params, budgets[-2]),
            'model': {f'{batch} x {budget}': of_model(student.bundle, batch, budget)
                      for batch in (1, 8) for budget in budgets}}


def of_frames(clouds, student, params, budget) -> List[Dict[str, Any]]:
    """Profile the pipeline's own code, the student in one thread with it."""
    sent = [bench_frames.message(cloud) for cloud in clouds]
    process = bench_frames.Timed(student, params, budget)
    process(sent[0])
    with cProfile.Profile() as profile:
        for each in sent:
            process(each)
    rows = []
    for (file, line, name), (_, calls, own, total, _) in pstats.Stats(profile).stats.items():
        where = name if file == '~' else f'{Path(file).name}:{line} {name}'
        rows.append({'where': where, 'own_ms': round(1e3 * own / len(sent), 3),
                     'ms': round(1e3 * total / len(sent), 3),
                     'calls': round(calls / len(sent), 1)})
    return sorted(rows, key=lambda row: -row['own_ms'])[:FUNCTIONS]


def of_model(bundle: Bundle, batch: int, budget: int) -> Dict[str, Any]:
    """Profile the model by onnxruntime's own profiler, in one thread."""
    with tempfile.TemporaryDirectory() as scratch:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(scratch) / 'profile')
        session = onnxruntime.InferenceSession(bundle.model, options,
                                               providers=['CPUExecutionProvider'])
        rng = np.random.default_rng(0)
        inputs = {'groups': rng.normal(0, 0.1, (batch, GROUPS, NEIGHBOURS, 3)),
                  'centers': rng.normal(0, 0.5, (batch, GROUPS, 3))}
        inputs = {name: value.astype(np.float32) for name, value in inputs.items()}
        for _ in range(RUNS):
            session.run(None, {**inputs, 'token_budget': np.array(budget, np.int64)})
        events = json.loads(Path(session.end_profiling()).read_text())
    spent, kinds = defaultdict(list), {}
    for event in events:
        if event.get('cat') == 'Node' and event['name'].endswith('_kernel_time'):
            name = event['name'][:-len('_kernel_time')]
            spent[name].append(event['dur'] / 1e3)
            kinds[name] = event['args']['op_name']
    medians = {name: float(np.median(times)) for name, times in spent.items()}
    operators: Dict[str, float] = defaultdict(float)
    for name, ms in medians.items():
        operators[kinds[name]] += ms
    most = sorted(medians, key=lambda name: -medians[name])[:NODES]
    return {'ms': round(sum(medians.values()), 4), 'nodes': len(medians),
            'operators': {kind: round(ms, 4) for kind, ms in
                          sorted(operators.items(), key=lambda item: -item[1])},
            'most': [{'node': name, 'operator': kinds[name], 'ms': round(medians[name], 4)}
                     for name in most]}


def format_table(result: Dict[str, Any]) -> str:
    """Write the result for people."""
    lines = ['Where the time of a frame goes: ms of its own, with what it calls, calls a frame']
    lines += [f'{row["own_ms"]:9.2f}{row["ms"]:9.2f}{row["calls"]:9.0f}  {row["where"]}'
              for row in result['frame']]
    for case, row in result['model'].items():
        shares = ', '.join(f'{kind} {100 * ms / row["ms"]:.0f} %'
                           for kind, ms in list(row['operators'].items())[:8])
        lines += ['', f'Model, {case} (objects x tokens): {row["ms"]:.2f} ms in {row["nodes"]} '
                  f'nodes: {shares}']
        lines += [f'{each["ms"]:9.3f}  {each["operator"]:24} {each["node"]}'
                  for each in row['most']]
    return '\n'.join(lines)
