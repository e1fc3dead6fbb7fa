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
from importlib import metadata, util
import os
import platform
import sys
import time

import psutil

NEEDED = ('numpy', 'scipy', 'onnxruntime', 'PyYAML', 'psutil')
EXTRAS = {'rosbags': 'recordings (replay, simulate)', 'Pillow': 'pictures (replay)',
          'tqdm': 'progress bars (replay)', 'open3d': 'further formats and viewing',
          'nvidia-ml-py': 'load of an NVIDIA GPU'}
ROS_PACKAGES = ('rclpy', 'sensor_msgs_py', 'vision_msgs', 'diagnostic_updater', 'tf2_ros')


def add_arguments(parser: argparse.ArgumentParser):
    """Declare the options: none."""


def run(args: argparse.Namespace) -> int:
    """
    Print the report.

    :return: 0 if the pipeline can run here, else 1.
    """
    print('machine')
    _line('system', f'{platform.system()} {platform.release()} on {platform.machine()}, '
          f'{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2 ** 30:.1f} GiB')
    _line('python', f'{platform.python_version()} ({sys.executable})')
    well = _packages()
    _ros()
    _sensors()
    return 0 if _bundles() and well else 1


def _line(name, text):
    print(f'  {name:20}{text}')


def _version(package):
    """Give the version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> bool:
    """Report the Python packages; tell whether all that are needed are there."""
    print('needed')
    found = {name: _version(name) for name in NEEDED}
    # the packages of another build of onnxruntime go by another name
    found['onnxruntime'] = found['onnxruntime'] or _version('onnxruntime-gpu')
    for name, version in found.items():
        _line(name, version or 'MISSING: pip install it into this Python')
    if found['onnxruntime']:
        import onnxruntime
        _line('providers', ', '.join(onnxruntime.get_available_providers()))
    print('extras')
    for name, use in EXTRAS.items():
        _line(name, _version(name) or f'not installed; for {use}')
    return all(found.values())


def _ros():
    """Report what of ROS 2 this Python can see."""
    print('ROS 2')
    distro = os.environ.get('ROS_DISTRO')
    _line('distribution', distro or 'not sourced; needed for the node only')
    for name in ROS_PACKAGES if distro else ():
        _line(name, 'found' if util.find_spec(name) else f'MISSING: apt install '
              f'ros-{distro}-{name.replace("_", "-")}')


def _sensors():
    """Report what tells the load of this machine."""
    from foundry_ros.load import LoadMonitor
    print('load')
    monitor = LoadMonitor(interval=0.1)
    monitor.read()
    time.sleep(0.5)
    load = monitor.read()
    _line('CPU', f'{100 * load.cpu:.0f} % busy' if load.cpu is not None else 'unknown')
    _line('GPU', f'{100 * load.gpu:.0f} % busy' if load.gpu is not None else
          'unknown (no Jetson file, no NVML): the budget follows the CPU and the time alone')
    _line('temperature', f'{load.temperature:.0f} °C' if load.temperature is not None else
          'unknown: no sensor can be read')


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
    _line('', f'ms an object by tokens, {student.threads} threads: {speed}')
    return True
