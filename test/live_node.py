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

"""The node as a process of its own, and a peer that talks to it over the middleware."""

from collections import namedtuple
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import psutil
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data, QoSProfile, ReliabilityPolicy
from ros_bench import cloud_message
from sensor_msgs.msg import PointCloud2
from table_scene import BOXES, table_cloud
from vision_msgs.msg import Detection3DArray

ROOT = Path(__file__).resolve().parent.parent
NAME = '/foundry_perception'
PATIENCE_S = 60
PERIOD_S = 0.1
RELIABLE, BEST_EFFORT = QoSProfile(depth=5), qos_profile_sensor_data

Usage = namedtuple('Usage', 'megabytes handles threads')
Usage.__doc__ = 'What a process holds: resident memory, open files and sockets, threads.'


class LiveNode:
    """``python -m foundry_ros.nodes.start``, with its log in a file; a context manager."""

    def __init__(self, folder, runs_in=None, **params):
        """
        Start it.

        :param folder: where what it prints is kept.
        :param runs_in: where it runs and ROS logs, None = there, too.
        :param params: parameters, dots written as two underscores.
        """
        self._out = Path(folder) / 'node.out'
        self.runs_in = Path(runs_in or folder)
        given = [word for name, value in params.items()
                 for word in ('-p', f'{name.replace("__", ".")}:={value}')]
        self._command = [sys.executable, '-m', 'foundry_ros.nodes.start', '--ros-args', *given]
        self._variables = {
            **os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{os.environ["PYTHONPATH"]}',
            'PYTHONUNBUFFERED': '1', 'ROS_LOG_DIR': str(self.runs_in)}
        self.start()

    def __enter__(self):
        """Give itself."""
        return self

    def __exit__(self, *error):
        """End it; after a failure, print what it said last."""
        self.stop()
        if error[0]:
            print(self.said()[-3000:], file=sys.stderr)

    def start(self):
        """Start it, or start it again."""
        with open(self._out, 'ab') as out:
            self._process = subprocess.Popen(self._command, cwd=self.runs_in, stdout=out,
                                             stderr=out, env=self._variables)
        self._watched = psutil.Process(self._process.pid)

    def stop(self) -> int:
        """End it as Ctrl-C does, if it still runs; give the exit code."""
        if self.runs():
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE_S)

    def kill(self):
        """End it without a chance to say goodbye."""
        self._process.kill()
        self._process.wait()

    def runs(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def said(self) -> str:
        """Give all that it has printed."""
        return self._out.read_text(errors='replace')

    def usage(self) -> Usage:
        """Tell what it holds now."""
        with self._watched.oneshot():
            return Usage(self._watched.memory_info().rss / 2**20, self._watched.num_fds(),
                         self._watched.num_threads())


class Peer:
    """Sends clouds and hears of objects; a context manager. ``heard`` is stamp -> objects."""

    def __init__(self, node=NAME):
        """Join the middleware."""
        self.name, self.heard = node, {}
        rclpy.init()
        self.node = Node('peer')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.node.create_subscription(Detection3DArray, f'{node}/detections', self._hear, 10)
        self.cloud = self.publisher()

    def __enter__(self):
        """Give itself."""
        return self

    def __exit__(self, *error):
        """Leave."""
        self.node.destroy_node()
        self._executor.shutdown()
        rclpy.shutdown()

    def publisher(self, qos=RELIABLE):
        """Make another publisher of clouds."""
        return self.node.create_publisher(PointCloud2, f'{self.name}/input', qos)

    def wait(self, condition, say='what was waited for', seconds=PATIENCE_S):
        """Take messages until something is so; give what it gave."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f'{say} did not happen within {seconds:.1f} s'
            self._executor.spin_once(timeout_sec=0.02)
        return found

    def call(self, kind, name, seconds=PATIENCE_S, **request):
        """Call a service of the node and give its response."""
        client = self.node.create_client(kind, f'{self.name}/{name}')
        try:
            self.wait(client.service_is_ready, f'the service {name}', seconds)
            future = client.call_async(kind.Request(**request))
            self.wait(future.done, f'a response of {name}', seconds)
            return future.result()
        finally:
            self.node.destroy_client(client)

    def fresh(self) -> bool:
        """Tell whether the node answers that it is not configured yet."""
        try:
            state = self.call(GetState, 'get_state', 2)
        except AssertionError:  # not there yet, or the request went to one that died
            return False
        return state.current_state.label == 'unconfigured'

    def change(self, transition: str) -> bool:
        """Ask for a transition, such as ``configure``; tell whether it was made."""
        wanted = Transition(id=getattr(Transition, f'TRANSITION_{transition.upper()}'))
        return self.call(ChangeState, 'change_state', transition=wanted).success

    def bring_up(self):
        """Configure and activate the node, and find its topics."""
        self.wait(self.fresh, 'a node that is not configured')
        assert self.change('configure') and self.change('activate')
        self.wait(self.connected, 'discovery')

    def connected(self) -> bool:
        """Tell whether clouds and objects have found their other ends."""
        return bool(self.cloud.get_subscription_count()
                    and self.node.count_publishers(f'{self.name}/detections'))

    def heard_reliably(self) -> bool:
        """Tell whether the node asks for every piece of a cloud."""
        asked = self.node.get_subscriptions_info_by_topic(f'{self.name}/input')
        return [info.qos_profile.reliability for info in asked] == [ReliabilityPolicy.RELIABLE]

    def send(self, message, stamp=None, by=None) -> int:
        """
        Publish a cloud.

        :param stamp: nanoseconds; None = now.
        :param by: the publisher, None = the first.
        :return: the stamp.
        """
        stamp = time.time_ns() if stamp is None else stamp
        message.header.stamp = Time(sec=stamp // 10**9, nanosec=stamp % 10**9)
        (by or self.cloud).publish(message)
        return stamp

    def ask(self, message, stamp=None, seconds=PATIENCE_S) -> Detection3DArray:
        """Publish a cloud and give what was found in it."""
        stamp = self.send(message, stamp)
        return self.wait(lambda: self.heard.pop(stamp, None), 'an answer', seconds)

    def good(self, by=None, stamp=time.time_ns, seconds=PATIENCE_S) -> float:
        """
        Publish the table as a sensor does until it is answered rightly.

        :param stamp: gives the stamps.
        :return: the seconds that it took.
        """
        start, due, sent = time.monotonic(), 0.0, set()

        def answered():
            nonlocal due
            if time.monotonic() >= due:
                sent.add(self.send(TABLE, stamp(), by))
                due = time.monotonic() + PERIOD_S
            return any(len(self.heard[s].detections) == len(BOXES) for s in sent & set(self.heard))
        self.wait(answered, 'a right answer', seconds)
        self.heard.clear()
        return time.monotonic() - start

    def set(self, **changes):  # noqa: A003 as in ros2 param set
        """Set parameters of the node; give the results."""
        return self.call(SetParameters, 'set_parameters', parameters=[
            Parameter(name.replace('__', '.'), value=value).to_parameter_msg()
            for name, value in changes.items()]).results

    def _hear(self, message):
        stamp = message.header.stamp
        self.heard[stamp.sec * 10**9 + stamp.nanosec] = message


TABLE = cloud_message(table_cloud())
