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

"""How much memory a network takes in onnxruntime: a process of its own, this file, tells."""

from pathlib import Path
import subprocess
import sys
from typing import Dict

import numpy as np
import onnxruntime


# Of an input: how far its values spread, and what is usual of its shape without the objects.
USUAL = {'groups': (0.1, (64, 32, 3)), 'centers': (0.5, (64, 3))}


def batch(session: onnxruntime.InferenceSession, budget, objects: int) -> Dict[str, np.ndarray]:
    """
    Make up objects for a network: 64 groups of 32 points, or as many as its graph fixes.

    :param budget: of tokens, where the graph asks for one.
    """
    rng, made = np.random.default_rng(0), {}
    for asked in session.get_inputs():
        if asked.name == 'token_budget':
            made[asked.name] = np.array(budget)
            continue
        spread, usual = USUAL[asked.name]
        shape = [n if isinstance(n, int) else u for n, u in zip(asked.shape[1:], usual)]
        made[asked.name] = rng.normal(0, spread, (objects, *shape)).astype(np.float32)
    return made


def mebibytes(path, budget: int, objects: int) -> float:
    """
    Give by how much a process grows when it opens a network and runs a batch [MiB].

    :param path: ONNX file. :param objects: in the batch.
    """
    done = subprocess.run([sys.executable, __file__, str(path), str(budget), str(objects)],
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(path: str, budget: str, objects: str) -> None:
    """Print it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    before = peak()
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    session.run(None, batch(session, int(budget), int(objects)))
    print(peak() - before)


def peak() -> float:
    """Give the most memory that this process has held since it runs this file [MiB]; Linux."""
    # Not getrusage: that is no less than what the process held that started this one.
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) / 1024


if __name__ == '__main__':
    main(*sys.argv[1:])
