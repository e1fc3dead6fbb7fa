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

"""Coordinate frames by tf: results in another frame, and which way gravity points."""

from dataclasses import replace
import time

from foundry_ros.boxes import Box
from foundry_ros.pipeline import Frame
import numpy as np
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from scipy.spatial.transform import Rotation
from tf2_ros import Buffer, TransformException, TransformListener
import yaml

PATIENCE_S = 0.1
POLL_S = 0.005


class FrameError(LookupError):
    """There is no way from one frame to another, said in one line."""


class Frames:
    """Looks transforms up, from when it is told to listen to tf until it is closed."""

    def __init__(self, node: Node):
        """Prepare; nothing is subscribed to yet."""
        self._node = node
        self._buffer = self._listener = self._jumps = None

    def listen(self):
        """Start to listen to tf."""
        if self._buffer is not None:
            return
        # without the node, which it would give a service that has no use here
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, self._node)
        # a recording that starts again: what was heard is from the future now
        backward = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1),
                                 on_clock_change=True)
        self._jumps = self._node.get_clock().create_jump_callback(
            backward, post_callback=lambda jump: self._buffer.clear())

    def close(self):
        """Listen no more, and forget what was heard."""
        if self._buffer is not None:
            self._listener.unregister()
            self._jumps.unregister()
            self._buffer = self._listener = self._jumps = None

    def matrix(self, target: str, source: str, stamp: int) -> np.ndarray:
        """
        Give the transform that takes points from one frame to another, listening to tf.

        :param stamp: when, in nanoseconds.
        :return: (4, 4) float64.
        :raises FrameError: it is not known; the frames that are known are named.
        """
        if target == source:
            return np.eye(4)
        when = Time(nanoseconds=stamp)
        # tf's own waiting goes by the clock of ROS, which may stand still
        end = time.monotonic() + PATIENCE_S
        while (not self._buffer.can_transform(target, source, when)
               and time.monotonic() < end):
            time.sleep(POLL_S)
        try:
            found = self._buffer.lookup_transform(target, source, when)
        except TransformException as error:
            known = ', '.join(sorted(yaml.safe_load(self._buffer.all_frames_as_yaml()) or ()))
            raise FrameError(f'no transform from {source!r} to {target!r}: '
                             f'{" ".join(str(error).split())} Frames in tf: {known or "none"}'
                             ) from None
        return _matrix(found.transform)

    def up(self, upright: str, source: str, stamp: int) -> np.ndarray:
        """
        Tell which way is up in a frame.

        :param upright: a frame whose z axis is up.
        :return: (3,) unit vector in ``source``.
        :raises FrameError: as for :meth:`matrix`.
        """
        return self.matrix(upright, source, stamp)[2, :3]


def in_frame(frame: Frame, target: str, matrix: np.ndarray) -> Frame:
    """
    Give the results in another frame.

    :param matrix: (4, 4) from the frame that they are in to ``target``.
    """
    detections = tuple(replace(d, box=_moved(d.box, matrix)) for d in frame.detections)
    return replace(frame, frame_id=target, detections=detections)


def _matrix(transform) -> np.ndarray:
    """Turn a geometry_msgs/Transform into (4, 4)."""
    turn, shift = transform.rotation, transform.translation
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
    matrix[:3, 3] = shift.x, shift.y, shift.z
    return matrix


def _moved(box: Box, matrix) -> Box:
    """Give a box in another frame."""
    turn = Rotation.from_matrix(matrix[:3, :3]) * Rotation.from_quat(box.orientation)
    return Box(matrix[:3, :3] @ box.center + matrix[:3, 3], box.size, turn.as_quat())
