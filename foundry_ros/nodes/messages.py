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

"""Plain content of :mod:`foundry_ros.results` as ROS messages."""

from functools import lru_cache
from typing import Any, Dict, Optional

from builtin_interfaces.msg import Duration
from foundry_ros import results
from foundry_ros.pipeline import Frame
import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosidl_runtime_py.utilities import get_message

SHORTEST_LIFETIME_MS = 1000.0
LIFETIME_PERIODS = 3


def fill(kind: str, content: Dict[str, Any]) -> Any:
    """
    Make a message.

    :param kind: such as ``'std_msgs/msg/UInt16'``.
    :param content: its fields; it is used up.
    """
    return _assign(get_message(kind)(), content)


def _assign(message, content):
    """Set fields, nested ones too; several times as fast as rosidl_runtime_py's."""
    for name, value in content.items():
        if isinstance(value, dict):
            _assign(getattr(message, name), value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            kind = _element(type(message), name)
            setattr(message, name, [_assign(kind(), item) for item in value])
        else:
            setattr(message, name, value)
    return message


@lru_cache(maxsize=None)
def _element(kind, field):
    """Give the message class of a sequence's elements."""
    names = list(kind.get_fields_and_field_types())
    element = kind.SLOT_TYPES[names.index(field)].value_type
    return get_message('/'.join((*element.namespaces, element.name)))


def qos(topic: str) -> QoSProfile:
    """Give the quality of service of an outgoing topic: what explains ids is kept for later."""
    late = topic in results.LATCHED
    return QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL if late
                      else DurabilityPolicy.VOLATILE)


def markers(frame: Frame, period_ms: Optional[float]) -> Any:
    """
    Make the markers; they vanish when the next ones stay away.

    :param period_ms: time between clouds, None where not known.
    """
    message = fill(results.TOPICS['markers'], results.markers(frame))
    lifetime = max(LIFETIME_PERIODS * (period_ms or 0.0), SHORTEST_LIFETIME_MS)
    seconds, nanoseconds = divmod(int(lifetime * 1e6), 10**9)
    for marker in message.markers:
        marker.lifetime = Duration(sec=seconds, nanosec=nanoseconds)
    return message


def outgoing(topic: str, frame: Frame, xyz: np.ndarray, labels, period_ms) -> Any:
    """
    Make the message of one of the topics that follow every cloud.

    :param topic: a key of :data:`foundry_ros.results.TOPICS`.
    :param xyz: (N, 3) the points, in the frame's frame.
    :param labels: names of the classes in the order of their ids.
    :param period_ms: time between clouds, None where not known.
    """
    if topic == 'markers':
        return markers(frame, period_ms)
    content = {'detections': lambda: results.detections(frame),
               'parts': lambda: results.parts(frame, xyz, labels),
               'token_budget': lambda: results.token_budget(frame)}[topic]()
    return fill(results.TOPICS[topic], content)
