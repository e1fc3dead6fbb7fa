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
A process that publishes clouds and hears what comes of them: prints ``heard`` and a count a time.

``python security_peer.py NAME BOXES [ROS arguments]``: clouds of the first so many boxes. It says
``ready`` when it publishes and works until it is told to end.
"""

import sys

import rclpy
from rclpy.executors import ExternalShutdownException
from ros_bench import cloud_message, NAME
from sensor_msgs.msg import PointCloud2
from table_scene import BOXES, table_cloud
from vision_msgs.msg import Detection3DArray

INPUT = '/camera/depth/points'
PERIOD_S = 0.1


def main(name, boxes, *arguments):
    """Work until told to end."""
    rclpy.init(args=['--ros-args', *arguments])
    node = rclpy.create_node(name)
    clouds = node.create_publisher(PointCloud2, INPUT, 1)
    node.create_subscription(Detection3DArray, f'{NAME}/detections', say, 1)
    message = cloud_message(table_cloud(boxes=BOXES[:int(boxes)]))
    node.create_timer(PERIOD_S, lambda: clouds.publish(message))
    print('ready', flush=True)
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass


def say(found):
    """Tell of a result."""
    print('heard', len(found.detections), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
