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

"""The package, installed, and its node started by its launch file, to be killed and come back."""

import os
from pathlib import Path
import re
import signal
import subprocess
import sys

from live_node import LiveNode, NAME, PATIENCE_S, ROOT
import psutil


class LaunchedNode(LiveNode):
    """``ros2 launch foundry_ros perception.launch.py respawn:=true``; a context manager."""

    def __init__(self, folder, bundle):
        """
        Install the package and start it.

        :param folder: an empty one, for all that is written.
        :param bundle: folder of its model.
        """
        home, into = Path(folder), Path(folder) / 'install'
        subprocess.run(
            [sys.executable, 'setup.py', '-q', 'egg_info', '--egg-base', home, 'build',
             '--build-base', home / 'build', 'install', '--prefix', into,
             '--single-version-externally-managed', '--record', home / 'installed.txt'],
            cwd=ROOT, check=True, capture_output=True)
        packages = next(into.glob('l*/python3*/*-packages'))
        self._out, self.runs_in = home / 'node.out', home
        self._command = ['ros2', 'launch', 'foundry_ros', 'perception.launch.py',
                         'respawn:=true', f'model:={bundle}', f'input_topic:={NAME}/input']
        self._variables = {
            **os.environ, 'PYTHONUNBUFFERED': '1', 'ROS_LOG_DIR': str(home),
            'PYTHONPATH': f'{packages}{os.pathsep}{os.environ["PYTHONPATH"]}',
            'AMENT_PREFIX_PATH': f'{into}{os.pathsep}{os.environ["AMENT_PREFIX_PATH"]}'}
        self.start()

    def started(self) -> int:
        """Tell how often the node was started."""
        return len(self._pids())

    def kill(self):
        """End the node, not what launched it, without a chance to say goodbye."""
        os.kill(self._pids()[-1], signal.SIGKILL)

    def stop(self) -> int:
        """End both as Ctrl-C does."""
        for pid in (self._pids()[-1], self._process.pid):
            os.kill(pid, signal.SIGINT)
        return self._process.wait(PATIENCE_S)

    def usage(self):
        """Tell what the node holds that was started last."""
        self._watched = psutil.Process(self._pids()[-1])
        return super().usage()

    def _pids(self):
        return [int(pid) for pid in
                re.findall(r'perception_node.*process started with pid \[(\d+)\]', self.said())]
