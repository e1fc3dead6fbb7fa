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
``bench --scenes``: one cloud of 2^12 to 2^20 points as a single sequence of tokens.

Each network meets each size in a process of its own, whose memory is limited, so that what does
not fit ends that process alone. Peak memory is all of the process, Python and onnxruntime too.
"""

import json
from pathlib import Path
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, Sequence

from foundry_ros import blas  # noqa: F401 before numpy
from foundry_ros.bundle import Bundle
from foundry_ros.scene_tokens import POINTS_A_TOKEN, tokenise_scene
from foundry_ros.tokens import normalise
import numpy as np
import onnxruntime

EXPONENTS = (12, 14, 16, 18, 20)
LIMIT_GB = 6.0        # the memory of the GPU that the paper measured on
TIMEOUT_S = 600
OTHERS = ('teacher', 'foundry_16')
NO_MEMORY = 3


def scene(points: int) -> np.ndarray:
    """Make a floor with boxes on it: (points, 3) float32 in the unit sphere."""
    rng = np.random.default_rng(1)
    xyz = rng.uniform(-1, 1, (points, 3))
    xyz[:, 2] = rng.normal(0, 0.002, points)
    for x, y, half, height in rng.uniform((-0.9, -0.9, 0.03, 0.05), (0.9, 0.9, 0.15, 0.4),
                                          (30, 4)):
        inside = np.abs(xyz[:, :2] - (x, y)).max(axis=1) < half
        xyz[inside, 2] += height
    return normalise(xyz.astype(np.float32))[0]


def run(bundle: Bundle, folder=None, exponents: Sequence[int] = EXPONENTS,
        budgets: Sequence[int] = (1, 16), limit_gb: float = LIMIT_GB) -> Dict[str, Any]:
    """
    Measure a bundle, and the teacher and Foundry as published where a folder has them.

    :param folder: see :mod:`foundry_ros.bench_network`. :param budgets: of the bundle.
    :param limit_gb: memory that a process may use.
    :return: title -> exponent -> ``tokens_s``, ``network_s``, ``peak_mb``; None without memory.
    """
    result: Dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / 'model.onnx'
        model.write_bytes(bundle.model)
        asked = [(f'{bundle.name}, {b} tokens', model, b) for b in budgets]
        asked += [(name, Path(folder) / f'{name}.onnx', 0) for name in OTHERS if folder]
        for title, path, budget in asked:
            rows = result[title] = {}
            for exponent in exponents:
                # what did not fit once fits no more
                spent = None in rows.values()
                rows[str(exponent)] = None if spent else _in_process(path, exponent, budget,
                                                                     limit_gb)
    return result


def _in_process(path, exponent, budget, limit_gb):
    """Measure in a process of its own; give None where its memory did not do."""
    command = [sys.executable, '-m', 'foundry_ros.bench_scenes', str(path), str(exponent),
               str(budget), str(limit_gb)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S,
                          cwd=Path(__file__).resolve().parents[1])
    if done.returncode == 0:
        return json.loads(done.stdout)
    if done.returncode == NO_MEMORY or done.returncode < 0:
        return None
    raise RuntimeError(f'{path.name} at 2^{exponent} points: {done.stderr.strip()[-300:]}')


def measure(path, exponent: int, budget: int) -> Dict[str, float]:
    """Tokenise a scene and run a network on it, in this process."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # it would take more than is used
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    points = scene(1 << exponent)
    start = time.perf_counter()
    groups, centers = tokenise_scene(points)
    middle = time.perf_counter()
    inputs = {'groups': groups, 'centers': centers, 'token_budget': np.array(budget)}
    session.run(None, {each.name: inputs[each.name] for each in session.get_inputs()})
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {'tokens_s': round(middle - start, 4), 'network_s': round(end - middle, 4),
            'peak_mb': round(peak, 1)}


def format_table(result: Dict[str, Any]) -> str:
    """Write the result as a table."""
    exponents = list(next(iter(result.values())))
    lines = [f'Scenes as one sequence, a token for every {POINTS_A_TOKEN} points, one thread: '
             'seconds to tokenise, seconds of the network, peak MB of the process',
             f'{"points":28}' + ''.join(f'{f"2^{e}":>24}' for e in exponents)]
    for title, rows in result.items():
        cells = (f'{r["tokens_s"]:8.2f}{r["network_s"]:8.2f}{r["peak_mb"]:8.0f}' if r
                 else f'{"out of memory":>24}' for r in rows.values())
        lines.append(f'{title:28}' + ''.join(cells))
    return '\n'.join(lines)


def main(path: str, exponent: str, budget: str, limit_gb: str) -> int:
    """Measure one size and print it; give NO_MEMORY where it does not fit."""
    limit = int(float(limit_gb) * 2 ** 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        print(json.dumps(measure(path, int(exponent), int(budget))))
    except MemoryError:
        return NO_MEMORY
    except Exception as error:  # noqa: B902 onnxruntime's errors share no base class
        if 'alloc' in str(error).lower():
            return NO_MEMORY
        raise
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
