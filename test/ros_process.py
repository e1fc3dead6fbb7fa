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
Finds a ROS 2 and runs tests in it.

The tests run with this Python, so that the packages of its environment are at hand, in a process
of their own with what the ROS 2's ``setup.bash`` sets. What ROS 2 itself needs beside comes from
the Python that it was made for, whose packages are put last on the path.
"""

from glob import glob
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import Callable

HERE = Path(__file__).resolve().parent
ROS_TESTS = ['test_messages.py', 'test_node*.py', 'test_launch*.py', 'test_copyright.py',
             'test_flake8.py', 'test_pep257.py', 'test_xmllint.py']
ASK = """
import json, os, site, sys
print(json.dumps([sys.executable, sys.version_info[:2], site.getsitepackages(), dict(os.environ)]))
"""


class NoRos(Exception):
    """There is no ROS 2 that the tests could run in, and why."""


def sourced() -> bool:
    """Tell whether this process has a ROS 2."""
    try:
        import rclpy
    except ImportError:
        return False
    return rclpy is not None


def environment(folder) -> dict:
    """
    Give the environment variables of a process that has a ROS 2 and this Python.

    :param folder: where a file may be put that the process needs for as long as it runs.
    :raises NoRos: none found, for another Python, or broken.
    """
    setups = sorted(glob('/opt/ros/*/setup.bash'))
    if not setups:
        raise NoRos('ROS 2 is neither sourced nor in /opt/ros')
    python, version, packages, variables = _ask(setups[-1])
    if version != list(sys.version_info[:2]):
        raise NoRos(f'{setups[-1]} is for Python {version[0]}.{version[1]} ({python}), these '
                    f'tests run with {sys.version_info[0]}.{sys.version_info[1]}')
    Path(folder, 'sitecustomize.py').write_text(f'import sys\nsys.path.extend({packages!r})\n')
    variables['PYTHONPATH'] = os.pathsep.join([variables.get('PYTHONPATH', ''), str(folder)])
    # to itself on this machine, whatever else runs
    variables.update(ROS_DOMAIN_ID=str(1 + os.getpid() % 100), PYTHONDONTWRITEBYTECODE='1',
                     ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST')
    if variables.get('ROS_DISTRO') == 'humble':
        variables['ROS_LOCALHOST_ONLY'] = '1'
    done = subprocess.run([sys.executable, '-c', 'import rclpy, launch_ros'],
                          env=variables, capture_output=True, text=True)
    if done.returncode:
        raise NoRos(f'{setups[-1]} does not work here: {done.stderr.strip().splitlines()[-1]}')
    return variables


def run_tests(names, variables, report) -> subprocess.CompletedProcess:
    """
    Run test files.

    :param names: of the files, in this folder.
    :param variables: as of :func:`environment`.
    :param report: where to write a JUnit report.
    """
    command = [sys.executable, '-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider',
               '-p', 'no:logging', f'--junitxml={report}', *(str(HERE / name) for name in names)]
    return subprocess.run(command, env=variables, cwd=HERE.parent, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def in_ros(main: Callable[[], int]) -> int:
    """
    Run a command that needs ROS 2: here, or else once more in a ROS 2 of this machine.

    :return: its exit code; 1 where there is no ROS 2, after a line that says why.
    """
    if sourced():
        return main()
    with tempfile.TemporaryDirectory() as folder:
        try:
            variables = environment(folder)
        except NoRos as reason:
            print(reason, file=sys.stderr)
            return 1
        variables['PYTHONPATH'] += f'{os.pathsep}{HERE.parent}'
        return subprocess.run([sys.executable, *sys.argv], env=variables).returncode


def _ask(setup):
    """Give Python, its version, its package folders and the environment after sourcing."""
    clean = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'VIRTUAL_ENV')}
    here = os.path.dirname(sys.executable)
    clean['PATH'] = os.pathsep.join(p for p in clean.get('PATH', '').split(os.pathsep)
                                    if p != here)
    done = subprocess.run(['bash', '-c', 'source "$0" >&2 && python3 -c "$1"', setup, ASK],
                          env=clean, capture_output=True, text=True)
    if done.returncode:
        raise NoRos(f'{setup} cannot be sourced: {" ".join(done.stderr.split())}')
    return json.loads(done.stdout)
