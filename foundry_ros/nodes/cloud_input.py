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

"""The subscription to the clouds, and what is said while none arrive."""

import time
from typing import Callable, Container

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2

CLOUD_TYPE = 'sensor_msgs/msg/PointCloud2'
LOOK_S = 0.25
PATIENCE_S = 2.0
SAY_AGAIN_S = 10.0


class CloudInput:
    """
    Subscribes to ``~/input`` with a depth of one; ``seen`` tells whether clouds arrive.

    With the reliability ``auto`` it asks for best effort, as is usual for sensors, and for
    reliable where every publisher offers that: with best effort, a cloud that is larger than the
    system's receive buffer never arrives whole.
    """

    def __init__(self, node: Node, reliability: str, on_cloud: Callable[[PointCloud2], None],
                 own_topics: Container[str]):
        """
        Subscribe, and start to look after it.

        :param reliability: ``auto``, ``best_effort`` or ``reliable``.
        :param on_cloud: called with every cloud, in the executor's thread.
        :param own_topics: what this node publishes, never offered as input.
        """
        self._node, self._on_cloud, self._own = node, on_cloud, own_topics
        self._auto = reliability == 'auto'
        self.seen, self._frame = False, ''
        self._since = time.monotonic()
        self._subscribe(ReliabilityPolicy.RELIABLE if reliability == 'reliable'
                        else ReliabilityPolicy.BEST_EFFORT)
        # a steady clock: simulated time stands still while no recording plays
        self._timer = node.create_timer(LOOK_S, self.look,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def topic(self) -> str:
        """Give the name of the topic after remapping."""
        return self._subscription.topic_name

    def close(self):
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)

    def look(self):
        """Follow what the publishers offer; while nothing arrives, say why that may be."""
        offered = [info.qos_profile.reliability for info in
                   self._node.get_publishers_info_by_topic(self.topic)]
        if not offered:
            self.seen = False
        elif self._auto:
            self._follow(offered)
        if self.seen:
            self._since = time.monotonic()
        elif time.monotonic() - self._since > PATIENCE_S:
            self._node.get_logger().warning(self._lost() if offered else self._nothing(),
                                            throttle_duration_sec=SAY_AGAIN_S)

    def _subscribe(self, reliability):
        """Subscribe, in place of an earlier subscription."""
        self._reliability = reliability
        # by its full name, which rclpy then names where a publisher's QoS does not match
        self._subscription = self._node.create_subscription(
            PointCloud2, self._node.resolve_topic_name('~/input'), self._take,
            QoSProfile(depth=1, reliability=reliability))

    def _follow(self, offered):
        """Ask for reliable where all offer it, or else for best effort."""
        best = (ReliabilityPolicy.RELIABLE if set(offered) == {ReliabilityPolicy.RELIABLE}
                else ReliabilityPolicy.BEST_EFFORT)
        if best != self._reliability:
            self._node.destroy_subscription(self._subscription)
            self._subscribe(best)
            self._node.get_logger().info(f'{self.topic} is offered with other quality of service:'
                                         f' asking for {best.name.lower()} now')

    def _take(self, message):
        """Note that clouds arrive, and where two sensors are taken for one."""
        frame = message.header.frame_id
        if not self.seen:
            self.seen = True
            self._node.get_logger().info(f'clouds arrive in frame {frame!r}')
        elif frame != self._frame:
            self._node.get_logger().warning(
                f'clouds arrive in the frames {self._frame!r} and {frame!r}: objects are followed '
                'as one sensor sees them, start a node for each (namespace:=...)',
                throttle_duration_sec=SAY_AGAIN_S)
        self._frame = frame
        self._on_cloud(message)

    def _nothing(self) -> str:
        """Say that nobody publishes, and where there are clouds."""
        others = [name for name, types in self._node.get_topic_names_and_types()
                  if CLOUD_TYPE in types and name not in self._own
                  and self._node.count_publishers(name)]
        found = (f'PointCloud2 topics: {", ".join(others)} (choose one with input_topic:=...)'
                 if others else 'there is no PointCloud2 topic at all')
        return f'nothing is published on {self.topic}; {found}'

    def _lost(self) -> str:
        """Say that there is a publisher, but no cloud arrives."""
        return (f'{self.topic} has a publisher, but no cloud arrives: it is silent, offers '
                f'another reliability than the {self._reliability.name.lower()} asked for '
                '(output.input_reliability), or its clouds are larger than the receive buffer of '
                'the system (net.core.rmem_max)')
