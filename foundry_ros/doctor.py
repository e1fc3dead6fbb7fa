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
"""``doctor``: what this machine offers, what is missing, and what to do about it."""

import argparse
from importlib import util
import os
import platform
import sys
import time

from foundry_ros.footprint import (brought_along, package_cost, PACKAGES, pipeline_cost, sizes,
                                   version)

EXTRAS = {'rosbags': 'recordings (replay, simulate)', 'Pillow': 'pictures (replay)',
          'tqdm': 'progress bars (replay)', 'open3d': 'further formats and viewing',
          'nvidia-ml-py': 'load of an NVIDIA GPU'}
ROS_PACKAGES = ('rclpy', 'sensor_msgs_py', 'vision_msgs', 'diagnostic_updater', 'tf2_ros')
NO_SOURCE = {'GPU load': 'no file of a Jetson, no NVML; the budget follows CPU and time alone',
             'temperature': 'no sensor can be read',
             'throttling': 'nothing says whether heat slows this machine down'}
CLOUDS_A_SECOND = 30
MB = 1e6


def add_arguments(parser: argparse.ArgumentParser):
    """Declare the options: none."""


def run(args: argparse.Namespace) -> int:
    """
    Print the report.

    :return: 0 if the pipeline can run here, else 1.
    """
    print('machine')
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    _line('system', f'{platform.system()} {platform.release()} on {platform.machine()}, '
          f'{os.cpu_count()} cores, {memory / 2 ** 30:.1f} GiB')
    _line('python', f'{platform.python_version()} ({sys.executable})')
    well = _packages()
    _extras()
    _ros()
    if not well:
        print('load and model bundles: not tried before what is needed is there')
        return 1
    _sensors()
    return 0 if _bundles() and _pipeline() else 1


def _line(name, text):
    print(f'  {name:20}{text}')


def _packages() -> bool:
    """Report what the needed packages cost; tell whether all can be used."""
    print('needed                version    MB on disk  ms to import')
    costs = [package_cost(package) for package in PACKAGES]
    for cost in costs:
        size = '?' if cost.size is None else f'{cost.size / MB:.1f}'
        ms = '' if cost.import_ms is None else f'{cost.import_ms:.0f}'
        _line(cost.name, cost.trouble or f'{cost.version:10} {size:>10}  {ms:>12}')
    if any(cost.trouble for cost in costs):
        return False
    others = brought_along(cost.name for cost in costs)
    rest = sizes(others)
    _line('their own needs', f'{"":10} {rest / MB:10.1f}  {", ".join(others)}')
    total = rest + sum(cost.size or 0 for cost in costs)
    _line('all of it', f'{"":10} {total / MB:10.1f}')
    import onnxruntime
    _line('providers', ', '.join(onnxruntime.get_available_providers()))
    return True


def _extras():
    """Report the packages that not everybody needs."""
    print('extras')
    for name, use in EXTRAS.items():
        _line(name, version(name) or f'not installed; for {use}')


def _ros():
    """Report what of ROS 2 this Python can see."""
    print('ROS 2')
    distro = os.environ.get('ROS_DISTRO')
    _line('distribution', distro or 'not sourced; needed for the node only')
    for name in ROS_PACKAGES if distro else ():
        _line(name, 'found' if util.find_spec(name) else f'MISSING: apt install '
              f'ros-{distro}-{name.replace("_", "-")}')


def _sensors():
    """Report what tells the load of this machine, where it is read from, and what that costs."""
    from foundry_ros.load import LoadMonitor
    print('load')
    monitor = LoadMonitor(interval=0.1)
    monitor.read()
    time.sleep(0.5)
    load = monitor.read()
    values = {'CPU load': load.cpu is not None and f'{100 * load.cpu:.0f} % busy',
              'GPU load': load.gpu is not None and f'{100 * load.gpu:.0f} % busy',
              'temperature': load.temperature is not None and f'{load.temperature:.0f} °C',
              'throttling': 'yes' if load.throttled else 'no'}
    for name, where in monitor.sources.items():
        _line(name, f'{values[name] or "unknown now":12}{where}' if where else
              f'no source: {NO_SOURCE[name]}')
    reading, share = _reading_cost()
    _line('cost', f'{1e6 * reading:.0f} us of processor time a reading, {100 * share:.3f} % of a '
          f'core when asked {CLOUDS_A_SECOND} times a second')


def _reading_cost():
    """Measure a reading in processor seconds, and all of them as a share of a core."""
    from foundry_ros.load import LoadMonitor
    now = [0.0]
    monitor, simulated, readings = LoadMonitor(clock=lambda: now[0]), 60, 0
    start, last = time.process_time(), None
    for i in range(simulated * CLOUDS_A_SECOND):
        now[0] = i / CLOUDS_A_SECOND
        load = monitor.read()
        readings += load is not last
        last = load
    seconds = time.process_time() - start
    return seconds / readings, seconds / simulated


def _bundles() -> bool:
    """Report the shipped bundles; tell whether the default one works."""
    from foundry_ros.bundle import BundleError, default_bundle, shipped_bundles
    print('model bundles')
    try:
        default = default_bundle()
    except BundleError as error:
        _line('default', f'MISSING: {error}')
        return False
    works = [_bundle(path, path == default) for path in shipped_bundles()]
    return all(works)


def _bundle(path, default) -> bool:
    """Report one bundle and how fast it is here."""
    from foundry_ros.bundle import BundleError
    try:
        from foundry_ros.student import load_bundle, Student
        student = Student(load_bundle(path))
        times = student.warm()
    except (BundleError, ImportError) as error:
        _line(path.name, f'NOT USABLE: {error}')
        return False
    mark = ' (default)' if default else ''
    _line(path.name, f'version {student.bundle.version}{mark} on {student.providers[0]}')
    speed = ', '.join(f'{budget}: {ms:.1f}' for budget, ms in times.items())
    _line('', f'ms an object by tokens: {speed}')
    _line('', f'several objects are dealt out to {student.threads} threads')
    return True


def _pipeline() -> bool:
    """Report what the pipeline costs at start; tell whether it starts."""
    from foundry_ros.bundle import default_bundle
    print('pipeline')
    ms, memory, trouble = pipeline_cost(default_bundle())
    _line('import', f'DOES NOT START: {trouble}' if trouble else
          f'{ms:.0f} ms of processor time, all packages together')
    if not trouble:
        _line('memory', f'{memory / MB:.0f} MB resident with the default bundle loaded and warm')
    return not trouble
