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
Other processes that upset the node: a publisher of clouds, and one that sets parameters.

``python test/upset_peers.py clouds`` or ``parameters``, with ROS 2 sourced; it runs until it is
ended.
"""

import itertools
import random
import sys
import time

from live_node import NAME, Peer, PERIOD_S, TABLE
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

RATE = 50
# name, values that it takes, values that it refuses
CHANGES = (
    ('token_budget', (0, 1, 8, 64), (3, -1, 'all')),
    ('crop.max_range', (0.5, 3.0, 2), (-1.0, 1e9, 'far')),
    ('crop.up', ('auto', '0,-1,0'), ('sideways', '0,0,0')),
    ('objects.max_objects', (1, 32), (0, 2.5)),
    ('objects.mode', ('tabletop', 'room', 'lidar'), ('kitchen',)),
    ('tracks.smoothing', (0.0, 0.8), (1.0,)),
    ('model.score_threshold', (0.0, 0.8), (2.0,)),
    ('model.path', (), ('/tmp',)),
    ('budget.max', (16, 64), (5,)))


def publish_clouds():
    """Be a sensor of which every cloud shows the table."""
    with Peer() as peer:
        print('ready', flush=True)
        while True:
            peer.send(TABLE)
            time.sleep(PERIOD_S)


def set_parameters():
    """Set parameters, rightly and wrongly in turns; print what was answered otherwise."""
    rng = random.Random(0)
    with Peer() as peer:
        client = peer.node.create_client(SetParameters, f'{NAME}/set_parameters')
        peer.wait(client.service_is_ready, 'the service')
        start, waiting = time.monotonic(), []
        for i in itertools.count():
            peer.wait(lambda: time.monotonic() >= start + i / RATE)
            name, *values = rng.choice(CHANGES)
            right = bool(values[0]) and i % 2 == 0
            value = rng.choice(values[0] if right else values[1])
            waiting.append((name, value, right, client.call_async(SetParameters.Request(
                parameters=[Parameter(name, value=value).to_parameter_msg()]))))
            while waiting and waiting[0][3].done():
                name, value, right, future = waiting.pop(0)
                result = future.result().results[0]
                if result.successful != right or bool(result.reason) == right:
                    print(f'{name} {value!r}: {result}', flush=True)
            if i == 0:
                peer.wait(lambda: waiting[0][3].done(), 'the first answer')
                print('ready', flush=True)
            if i % RATE == 0:
                print(f'{i} set, {len(waiting)} of them not answered yet', flush=True)


if __name__ == '__main__':
    {'clouds': publish_clouds, 'parameters': set_parameters}[sys.argv[1]]()
