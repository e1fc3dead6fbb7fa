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

"""A node as a process, at work, and what there is to upset it with."""

from dataclasses import dataclass
import os
from pathlib import Path
import subprocess
import sys
import time

from live_node import LiveNode, Peer, PERIOD_S, TABLE

HERE = Path(__file__).resolve().parent


@dataclass
class Upset:
    """
    A node at work and what there is to upset it with.

    ``bundle`` is the folder of its model, ``spare`` that of another model, ``scale`` the share of
    the full length that cases take.
    """

    node: LiveNode
    peer: Peer
    bundle: Path
    spare: Path
    scale: float = 1.0
    table = TABLE

    def other(self, what: str) -> subprocess.Popen:
        """Start another process of :mod:`upset_peers` and wait until it is at work."""
        path = f'{HERE.parent}{os.pathsep}{os.environ["PYTHONPATH"]}'
        process = subprocess.Popen(
            [sys.executable, HERE / 'upset_peers.py', what], text=True, stdout=subprocess.PIPE,
            env={**os.environ, 'PYTHONPATH': path})
        assert process.stdout.readline() == 'ready\n'
        return process

    def run(self, seconds: float, each=None, period=PERIOD_S, until=lambda: True):
        """Let time pass, until something is so; what ``each`` does happens every so often."""
        end, due = time.monotonic() + seconds * self.scale, time.monotonic()

        def over():
            nonlocal due
            if each and time.monotonic() >= due:
                each()
                due += period
            return time.monotonic() >= end and until()
        self.peer.wait(over)

    def published_by(self, qos):
        """Publish with another quality of service from now on."""
        self.peer.node.destroy_publisher(self.peer.cloud)
        self.peer.cloud = self.peer.publisher(qos)
