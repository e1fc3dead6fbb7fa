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

"""Where figures come from: commit, processors and data, as results files hold them."""

import json
import os
from pathlib import Path
import platform
import subprocess
from typing import Any, Dict


def commit() -> str:
    """
    Name the commit that is checked out, with a + where files but for results differ from it.

    A copy without its history, as clusters have, is told its commit by ``FOUNDRY_COMMIT``.
    """
    def git(*arguments):
        return _said('git', *arguments)
    changed = git('status', '--porcelain', '-uno', '--', '.', ':!training/results')
    found = git('rev-parse', 'HEAD') + '+' * bool(changed)
    return found or os.environ.get('FOUNDRY_COMMIT', '')


def machine(accelerator: str = 'cpu') -> Dict[str, Any]:
    """Describe the processor and, where a trainer's ``accelerator`` may be one, the GPU."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    found = {'cpu': names[0] if names else platform.processor(), 'cores': os.cpu_count()}
    gpu = '' if accelerator == 'cpu' else _gpu()
    return {**found, 'gpu': gpu} if gpu else found


def _gpu() -> str:
    """Name the first GPU that the driver knows, '' where there is none."""
    return _said('nvidia-smi', '--query-gpu=name', '--format=csv,noheader').partition('\n')[0]


def _said(*command: str) -> str:
    """Give what a program prints, '' where it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''


def used_sets(data) -> Dict[str, Dict[str, int]]:
    """Tell of each set in use how many shapes and clouds it has."""
    found = {}
    for name in data['clouds']:
        path = Path(data['cache']) / name / 'recipe.json'
        if path.exists():
            recipe = json.loads(path.read_text())
            each = recipe['complete'] + recipe['single']
            found[name] = {'shapes': recipe['shapes'], 'clouds': recipe['shapes'] * each}
    return found
