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

"""Training in seconds, on a few made-up shapes, for the tests of how runs go on and are shared."""

import csv
import os
from pathlib import Path
import subprocess
import sys

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'training/configs/small'
TINY = {'width': 16, 'depth': 2, 'heads': 2, 'first': [8, 8], 'second': [16]}


def write_data(root):
    """Lay out infomr in its compact form: 24 ellipsoids."""
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(24, 1024, 3))
    cloud /= np.linalg.norm(cloud, axis=2, keepdims=True)
    cloud *= rng.uniform(0.3, 1, (24, 1, 3))
    (root / 'infomr').mkdir(parents=True)
    np.savez(root / 'infomr/infomr_1024.npz', points=(cloud / 1e-4).astype(np.int16), scale=1e-4,
             labels=np.arange(24) % 3, class_names=np.array(['a', 'b', 'c']))


def arguments(verb, root, output, *more, parts=('model',)):
    """Give the arguments of a tiny run of 8 clouds a step."""
    sizes = [f'{part}.{key}={value}' for part in parts for key, value in TINY.items()]
    return [verb, '--config', str(CONFIGS / f'{verb}.yaml'), '--data-root', str(root),
            f'output={output}', f'data.cache={root}/cache', *sizes, 'data.mix.modelnet40_train=0',
            'data.mix.infomr=8', 'trainer.compile=false', 'trainer.precision=32-true',
            'trainer.accelerator=cpu', *more]


def start(command):
    """Run a command in the repository with one thread a process; give what became of it."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment,
                          capture_output=True, text=True, timeout=900)


def history(folder):
    """Read the logged values by name and step."""
    with (Path(folder) / 'metrics.csv').open() as file:
        rows = list(csv.DictReader(file))
    return {name: {int(r['step']): float(r[name]) for r in rows if r[name]} for name in rows[0]}
