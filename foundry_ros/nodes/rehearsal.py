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

"""The node as its own process, and a sensor that plays clouds to it at a steady rate."""

from dataclasses import dataclass
import os
import subprocess
import sys
import threading
import time
from typing import Any, Dict, List, Optional, Sequence

from foundry_ros.cloud import Cloud, fields_to_bytes, records
from foundry_ros.nodes.messages import fill, qos
from foundry_ros.results import NODE, TOPICS
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2

HEARD = ('detections', 'parts', 'token_budget')
PATIENCE_S = 60.0
# Answers that come later are not waited for.
LATEST_S = 1.0


class RehearsalError(RuntimeError):
    """The node does not do what it is asked for, said in one line."""


@dataclass
class Shot:
    """
    A cloud that was played.

    ``index`` into what is played, ``stamp`` in nanoseconds of the system's clock, ``age_ms`` of
    the detections when they came back (None = never), ``detections`` as (name, centre) pairs.
    """

    index: int
    stamp: int
    age_ms: Optional[float] = None
    detections: Sequence = ()


def as_message(cloud: Cloud) -> PointCloud2:
    """Give a cloud as a message, with its stamp."""
    seconds, nanoseconds = divmod(cloud.stamp, 10**9)
    array = records(cloud.xyz).reshape(cloud.height, cloud.width)
    return fill('sensor_msgs/msg/PointCloud2', {
        'header': {'frame_id': cloud.frame_id,
                   'stamp': {'sec': seconds, 'nanosec': nanoseconds}}, **fields_to_bytes(array)})


class Rehearsal:
    """Context manager: the node runs, is active, and listens to what :meth:`play` plays."""

    def __init__(self, arguments: Sequence[str] = ()):
        """
        Prepare; nothing runs yet.

        :param arguments: of the node, after ``--ros-args``.
        """
        # a name of its own, as the robot's node may run beside it
        self._space = f'/rehearsal_{os.getpid()}'
        self._command = [sys.executable, '-m', 'foundry_ros.nodes.start', '--ros-args',
                         '-r', f'__ns:={self._space}', '--log-level', 'error', *arguments]
        self._shots: Dict[int, Shot] = {}
        self._tokens: List[int] = []

    def __enter__(self):
        """Start the node and bring it to work."""
        rclpy.init()
        self._peer = rclpy.create_node('rehearsal')
        self._cloud = self._peer.create_publisher(PointCloud2, self._name('input'),
                                                  QoSProfile(depth=1))
        take = {'detections': self._answered, 'parts': lambda _: None,
                'token_budget': lambda message: self._tokens.append(message.data)}
        for topic in HEARD:
            self._peer.create_subscription(type(fill(TOPICS[topic], {})), self._name(topic),
                                           take[topic], qos(topic))
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._peer)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()
        self._node = subprocess.Popen(self._command)
        try:
            for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
                answer = self._call(ChangeState, 'change_state',
                                    transition=Transition(id=transition))
                if not answer.success:
                    raise RehearsalError('the node does not start; see what it says above')
            self._wait(self._cloud.get_subscription_count)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """End the node."""
        self._node.terminate()
        self._node.wait(PATIENCE_S)
        self._executor.shutdown()
        self._thread.join(PATIENCE_S)
        self._peer.destroy_node()
        rclpy.try_shutdown()

    @property
    def process_id(self) -> int:
        """Give the id of the node's process."""
        return self._node.pid

    def set_parameter(self, name: str, value: Any):
        """
        Set a parameter of the node.

        :raises RehearsalError: it refuses, and why.
        """
        message = Parameter(name, value=value).to_parameter_msg()
        result = self._call(SetParameters, 'set_parameters', parameters=[message]).results[0]
        if not result.successful:
            raise RehearsalError(f'{name}: {result.reason}')

    def play(self, messages: Sequence[PointCloud2], rate: float, seconds: float) -> List[Shot]:
        """
        Play clouds to and fro.

        :param messages: in their order.
        :param rate: clouds a second.
        :param seconds: for how long.
        :return: what became of each; :attr:`tokens` are the budgets of those worked on.
        """
        self._shots, self._tokens = {}, []
        order = [*range(len(messages)), *range(len(messages) - 2, 0, -1)]
        start = time.monotonic()
        slot = 0
        while slot < seconds * rate:
            time.sleep(max(start + slot / rate - time.monotonic(), 0.0))
            shot = Shot(order[slot % len(order)], time.time_ns())
            message = messages[shot.index]
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(shot.stamp, 10**9)
            self._shots[shot.stamp] = shot
            self._cloud.publish(message)
            # a sensor that could not keep its time leaves clouds out, it does not hurry
            slot = max(slot + 1, int((time.monotonic() - start) * rate))
        shots = list(self._shots.values())
        end = time.monotonic() + LATEST_S
        while shots[-1].age_ms is None and time.monotonic() < end:
            time.sleep(0.01)
        return shots

    @property
    def tokens(self) -> List[int]:
        """Give the token budgets of the clouds that were worked on."""
        return list(self._tokens)

    def _answered(self, message):
        """Note when the answer to a cloud came."""
        now, stamp = time.time_ns(), message.header.stamp
        shot = self._shots.get(stamp.sec * 10**9 + stamp.nanosec)
        if shot is not None:
            shot.detections = [(d.results[0].hypothesis.class_id if d.results else 'unknown',
                                _xyz(d.bbox.center.position)) for d in message.detections]
            shot.age_ms = (now - shot.stamp) / 1e6

    def _name(self, item):
        return f'{self._space}/{NODE}/{item}'

    def _call(self, kind, name, **request):
        """Call a service of the node."""
        client = self._peer.create_client(kind, self._name(name))
        self._wait(client.service_is_ready)
        future = client.call_async(kind.Request(**request))
        self._wait(future.done)
        self._peer.destroy_client(client)
        return future.result()

    def _wait(self, condition):
        """Wait until something is so."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if self._node.poll() is not None or time.monotonic() > end:
                raise RehearsalError('the node has ended or does not answer; see what it says')
            time.sleep(0.01)


def _xyz(point):
    return point.x, point.y, point.z
