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
Tens of thousands of clouds through the node as a process: what it holds, first and last.

``PYTHONPATH=. .venv/bin/python test/soak_node.py --clouds 20000``. Each cloud is sent when the
one before was answered; fails where memory grows by 10 MB or a file stays open.
"""

import argparse
import sys
import tempfile
import time

from ros_process import in_ros

WARM_UP = 1000
LARGEST_GROWTH_MB = 10


def messages():
    """List the clouds of a round: three of a simulated table for each of a real one."""
    from cloud_messages import SHARED
    from foundry_ros.recording import open_recording
    from ros_bench import cloud_message
    from table_scene import table_cloud
    scenes = [cloud_message(table_cloud(shift=0.01 * i)) for i in range(8)]
    real = SHARED / 'bags' / 'tabletop_kinect'
    if not real.exists():
        print(f'{real} is not here: simulated clouds only')
        return scenes
    with open_recording(real) as recording:
        seen = [cloud_message(cloud) for cloud in recording]
    return [cloud for i, cloud in enumerate(seen)
            for cloud in (*(scenes[(3 * i + k) % len(scenes)] for k in range(3)), cloud)]


def soak(clouds: int) -> int:
    """Send and measure; give 1 where it grew."""
    from live_node import LiveNode, Peer
    scenes, start = messages(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, LiveNode(
            folder, output__input_reliability='reliable') as node, Peer() as peer:
        peer.bring_up()
        peer.good()
        print('   clouds   memory [MB]  handles  threads  clouds/s', flush=True)
        for i in range(clouds + 1):
            if i == min(WARM_UP, clouds // 2):
                first = node.usage()
            if i % max(clouds // 20, 1) == 0:
                usage = node.usage()
                print(f'{i:9} {usage.megabytes:13.1f} {usage.handles:8} {usage.threads:8} '
                      f'{i / (time.monotonic() - start):9.1f}', flush=True)
            peer.ask(scenes[i % len(scenes)])
        last, said = node.usage(), node.said()
    grown = last.megabytes - first.megabytes
    print(f'{clouds} clouds, of these {min(WARM_UP, clouds // 2)} to warm up: memory '
          f'{grown:+.1f} MB, handles {last.handles - first.handles:+d}, threads '
          f'{last.threads - first.threads:+d}, tracebacks in the log: {said.count("Traceback")}')
    return int(grown >= LARGEST_GROWTH_MB or last.handles > first.handles or 'Traceback' in said)


def main() -> int:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    options.add_argument('--clouds', type=int, default=20000)
    return soak(options.parse_args().clouds)


if __name__ == '__main__':
    sys.exit(in_ros(main))
