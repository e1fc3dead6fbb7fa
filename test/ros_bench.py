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

"""A perception node and a peer that talks to it, in one executor, without a launch file."""

import time

from foundry_ros.nodes.messages import fill, qos
from foundry_ros.nodes.perception_node import PerceptionNode
from foundry_ros.nodes.rehearsal import as_message as cloud_message
from foundry_ros.results import TOPICS
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2

NAME = '/foundry_perception'
PATIENCE_S = 60


class Bench:
    """Context manager; the input is reliable unless said otherwise, so that nothing is lost."""

    def __init__(self, bundle, topics=('detections',), **params):
        """
        Make both nodes.

        :param bundle: folder of the model.
        :param topics: what the peer listens to.
        :param params: parameters, dots written as two underscores.
        """
        params = {'model__path': str(bundle), 'model__threads': 1,
                  'output__input_reliability': 'reliable', **params}
        rclpy.init()
        self.node = PerceptionNode(parameter_overrides=[
            Parameter(name.replace('__', '.'), value=value) for name, value in params.items()])
        self.peer = Node('peer')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.peer)
        self.cloud = self.peer.create_publisher(PointCloud2, f'{NAME}/input', QoSProfile(depth=20))
        self.heard = {}
        for topic in topics:
            self.listen(topic)

    def __enter__(self):
        """Give the bench."""
        return self

    def __exit__(self, *error):
        """End both nodes."""
        self.node.destroy_node()
        self.peer.destroy_node()
        self.executor.shutdown()
        rclpy.shutdown()

    def listen(self, topic):
        """Collect the messages of a topic in ``heard``."""
        kind, name = TOPICS.get(topic), f'{NAME}/{topic}'
        if kind is None:
            kind, name = 'diagnostic_msgs/msg/DiagnosticArray', topic
        messages = self.heard[topic] = []
        self.peer.create_subscription(type(fill(kind, {})), name, messages.append,
                                      qos(topic) if topic in TOPICS else 10)

    def wait(self, condition, say='what was waited for'):
        """Let both nodes work until something is so."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f'{say} did not happen within {PATIENCE_S} s'
            self.executor.spin_once(timeout_sec=0.05)

    def activate(self):
        """Bring the node to work, connected with the peer."""
        self.node.trigger_configure()
        self.node.trigger_activate()
        self.wait(self.connected, 'discovery')
        return self

    def connected(self):
        """Tell whether every topic has found its other end."""
        counts = [self.cloud.get_subscription_count()]
        counts += [self.peer.count_publishers(f'{NAME}/{topic}') for topic in self.heard
                   if topic in TOPICS]
        counts += [self.node.count_subscribers(f'{NAME}/{topic}') for topic in self.heard
                   if topic in TOPICS]
        return all(counts) and len(self.node._wanted()) >= len(
            {'detections', 'parts', 'markers', 'token_budget'} & set(self.heard))

    def send(self, cloud, topic='detections'):
        """Publish a cloud and give the next message of a topic."""
        before = len(self.heard[topic])
        self.cloud.publish(cloud_message(cloud))
        self.wait(lambda: len(self.heard[topic]) > before, f'a message on {topic}')
        return self.heard[topic][-1]

    def call(self, kind, name, **request):
        """Call a service and give its response."""
        client = self.peer.create_client(kind, f'{NAME}/{name}')
        self.wait(client.service_is_ready, f'the service {name}')
        future = client.call_async(kind.Request(**request))
        self.wait(future.done, f'a response of {name}')
        return future.result()
