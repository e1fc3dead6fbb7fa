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
What the robot side costs: disk, time to import, memory.

Times and memory are those of fresh interpreters, so a package that is missing or broken does not
take this one along; nothing but the standard library is imported here. Times are those of the
processor, which other programs lengthen little.
"""

from dataclasses import dataclass
from importlib import metadata, util
import os
from pathlib import Path
import re
import subprocess
import sys
from typing import Iterable, List, Optional, Set, Tuple

# The packages of the robot side: what of each is imported.
PACKAGES = {
    'numpy': 'numpy',
    'scipy': 'scipy.ndimage, scipy.optimize, scipy.sparse.csgraph, scipy.spatial',
    'onnxruntime': 'onnxruntime',
    'PyYAML': 'yaml',
    'psutil': 'psutil',
}
# Other builds of a package go by another name.
OTHER_NAMES = {'onnxruntime': ('onnxruntime-gpu',)}
ROUNDS = 2
SECONDS = 120
_IMPORT = """
import time
start = time.process_time()
import {modules}
print(1e3 * (time.process_time() - start))
"""
_PIPELINE = """
import time
start = time.process_time()
from foundry_ros import pipeline
print(1e3 * (time.process_time() - start))
from foundry_ros.config import Params
from foundry_ros.student import load_bundle, Student
import psutil, sys
running = pipeline.Pipeline(Params(), Student(load_bundle(sys.argv[1])))
print(psutil.Process().memory_info().rss)
"""


@dataclass(frozen=True)
class Cost:
    """
    What one package costs.

    ``name`` as pip knows it, ``size`` in bytes on disk (None where it is not known),
    ``import_ms`` alone in a fresh interpreter (None where it fails), ``trouble`` what keeps it
    from being used, in one line, or empty.
    """

    name: str
    version: str
    size: Optional[int]
    import_ms: Optional[float]
    trouble: str


def package_cost(package: str) -> Cost:
    """
    Measure one of :data:`PACKAGES`.

    :return: its cost; where it is missing or does not import, ``trouble`` says so.
    """
    found = [name for name in (package, *OTHER_NAMES.get(package, ())) if version(name)]
    if not found:
        return Cost(package, '', None, None, 'MISSING: ' + pip_command(package))
    name, modules = found[0], PACKAGES[package]
    size = _size(name, modules.split('.')[0].split(',')[0])
    if len(found) > 1:
        return Cost(name, version(name), size, None, f'{" and ".join(found)} are in each '
                    f"other's way: pip uninstall both, then {pip_command(name)}")
    runs = [_fresh(_IMPORT.format(modules=modules)) for _ in range(ROUNDS)]
    trouble = runs[0][1] and f'BROKEN: {runs[0][1]}: {pip_command(name, "--force-reinstall")}'
    times = [float(lines[0]) for lines, error in runs if not error]
    return Cost(name, version(name), size, min(times, default=None), trouble)


def brought_along(names: Iterable[str]) -> List[str]:
    """
    List the installed packages that some packages need, and what those need, by name.

    :param names: packages as pip knows them; they are not listed themselves.
    """
    given = {_normal(name) for name in names}
    seen: Set[str] = set()
    waiting = list(given)
    while waiting:
        name = waiting.pop()
        if name not in seen and version(name):
            seen.add(name)
            waiting += [_normal(re.match(r'[\w.-]+', need)[0])
                        for need in metadata.requires(name) or () if 'extra ==' not in need]
    return sorted(seen - given)


def sizes(names: Iterable[str]) -> int:
    """Give the bytes that packages take on disk, those that are not known left out."""
    return sum(_size(name, name.replace('-', '_')) or 0 for name in names)


def pipeline_cost(bundle: str) -> Tuple[Optional[float], Optional[int], str]:
    """
    Start the pipeline in a fresh interpreter.

    :param bundle: folder of the model bundle.
    :return: milliseconds to import it with all that it needs, bytes resident once the bundle is
        loaded and warm, and what went wrong in one line, or empty.
    """
    runs = [_fresh(_PIPELINE, str(bundle)) for _ in range(ROUNDS)]
    if any(error for _, error in runs):
        return None, None, next(error for _, error in runs if error)
    return (min(float(lines[0]) for lines, _ in runs), min(int(lines[1]) for lines, _ in runs),
            '')


def version(package: str) -> Optional[str]:
    """Give the version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def pip_command(package: str, *options: str) -> str:
    """Give the command that installs a package into this Python."""
    # the Python of a system refuses pip unless it is told so
    prefix = 'PIP_BREAK_SYSTEM_PACKAGES=1 ' if sys.prefix == sys.base_prefix else ''
    return f'{prefix}{" ".join([sys.executable, "-m pip install", *options, package])}'


def _normal(name) -> str:
    """Write the name of a package as pip compares it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def _size(package, module) -> Optional[int]:
    """Sum up the files of a package: those that pip listed, or else the folder of its module."""
    distribution = metadata.distribution(package)
    if distribution.read_text('RECORD'):
        return _total(Path(file.locate()) for file in distribution.files)
    found = util.find_spec(module)  # packages of the system come without a list of their files
    if found is None or not found.submodule_search_locations:
        return None
    return _total(file for folder in found.submodule_search_locations
                  for file in Path(folder).rglob('*'))


def _total(files) -> int:
    return sum(file.stat().st_size for file in files if file.is_file())


def _fresh(code, *arguments) -> Tuple[List[str], str]:
    """Run code in a fresh interpreter; give the lines that it printed, and its error in one."""
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run([sys.executable, '-c', code, *arguments], capture_output=True,
                              text=True, env={**os.environ, 'PYTHONPATH': paths}, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return [], f'no end after {SECONDS} s'
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f'ended with {done.returncode}']
        return [], said[-1][:200]
    return done.stdout.split(), ''
