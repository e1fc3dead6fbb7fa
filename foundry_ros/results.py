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
What the node publishes and a replay records, as plain values in the form of the messages.

Every function returns nested dicts, lists and numbers with the names of the message's fields, so
that the node and :mod:`foundry_ros.detection_writer` fill their own message classes with the same
content.
"""

import colorsys
from typing import Any, Dict, List, Sequence, TYPE_CHECKING
import zlib

from foundry_ros.pointcloud2 import fields_to_bytes
import numpy as np

if TYPE_CHECKING:
    from foundry_ros.pipeline import Detection, Frame

NODE = 'foundry_perception'
TOPICS = {'detections': 'vision_msgs/msg/Detection3DArray',
          'parts': 'sensor_msgs/msg/PointCloud2',
          'label_info': 'vision_msgs/msg/LabelInfo',
          'part_info': 'vision_msgs/msg/LabelInfo',
          'markers': 'visualization_msgs/msg/MarkerArray',
          'token_budget': 'std_msgs/msg/UInt16'}
LATCHED = ('label_info', 'part_info')

# The largest uint16 stands for no name, as vision_msgs/VisionClass has it.
UNLABELLED = 65535
# ``instance`` is the object's index in the detections of the same stamp, ``label`` and ``part``
# the ids of label_info and part_info, ``score`` that of the part or, where there is none, of the
# object. The record is padded to 24 bytes so that every number is aligned.
PARTS_DTYPE = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('instance', '<u2'),
                        ('label', '<u2'), ('part', '<u2'), ('score', '<f4')], align=True)

CUBE, TEXT_VIEW_FACING = 1, 9
ADD, DELETEALL = 0, 3


def header(frame: 'Frame') -> Dict[str, Any]:
    """Give the std_msgs/Header of the source cloud."""
    seconds, nanoseconds = divmod(frame.stamp, 10**9)
    return {'stamp': {'sec': seconds, 'nanosec': nanoseconds}, 'frame_id': frame.frame_id}


def detections(frame: 'Frame') -> Dict[str, Any]:
    """Give the objects as a vision_msgs/Detection3DArray; ``class_id`` is the name."""
    head = header(frame)
    return {'header': head, 'detections': [_detection(d, head) for d in frame.detections]}


def parts(frame: 'Frame', xyz: np.ndarray, labels: Sequence[str]) -> Dict[str, Any]:
    """
    Give the points of the objects as a sensor_msgs/PointCloud2 of :data:`PARTS_DTYPE`.

    :param xyz: (N, 3) the cloud that the frame was made of.
    :param labels: names of the classes, in the order of their ids.
    """
    ids = {name: i for i, name in enumerate(labels)}
    counts = [len(d.indices) for d in frame.detections]
    array = np.zeros(sum(counts), PARTS_DTYPE)
    for i, (detection, end) in enumerate(zip(frame.detections, np.cumsum(counts))):
        points = array[end - len(detection.indices):end]
        for axis, name in enumerate('xyz'):
            points[name] = xyz[detection.indices, axis]
        points['instance'] = i
        points['label'] = ids.get(detection.label, UNLABELLED)
        named = detection.parts >= 0
        points['part'] = np.where(named, detection.parts, UNLABELLED)
        points['score'] = np.where(named, detection.part_scores, detection.score)
    return {'header': header(frame), **fields_to_bytes(array)}


def label_info(frame: 'Frame', names: Sequence[str], threshold: float) -> Dict[str, Any]:
    """
    Give the meaning of ids as a vision_msgs/LabelInfo.

    :param names: in the order of their ids.
    :param threshold: scores below it are called unknown.
    """
    classes = [*enumerate(names), (UNLABELLED, 'unknown')]
    return {'header': header(frame), 'threshold': float(threshold),
            'class_map': [{'class_id': i, 'class_name': name} for i, name in classes]}


def markers(frame: 'Frame') -> Dict[str, Any]:
    """Give a box and a name for each object as a visualization_msgs/MarkerArray."""
    head = header(frame)
    clear = {'header': head, 'action': DELETEALL, 'pose': _pose(np.zeros(3), (0, 0, 0, 1))}
    drawn = [m for i, d in enumerate(frame.detections) for m in _markers(i, d, head)]
    return {'markers': [clear, *drawn]}


def token_budget(frame: 'Frame') -> Dict[str, Any]:
    """Give the budget as a std_msgs/UInt16."""
    return {'data': int(frame.token_budget)}


def colour(name: str) -> Dict[str, float]:
    """Give a name its colour, the same in every run, as a std_msgs/ColorRGBA."""
    if name == 'unknown':
        return {'r': 0.6, 'g': 0.6, 'b': 0.6, 'a': 1.0}
    hue = zlib.crc32(name.encode()) % 360 / 360
    return dict(zip('rgba', (*colorsys.hsv_to_rgb(hue, 0.75, 1.0), 1.0)))


def _detection(detection: 'Detection', head) -> Dict[str, Any]:
    """Give one vision_msgs/Detection3D: the label first, then what else it may be."""
    names = [(detection.label, detection.score)]
    names += [(name, score) for name, score in detection.alternatives if name != detection.label]
    pose = _pose(detection.box.center, detection.box.orientation)
    results = [{'hypothesis': {'class_id': name, 'score': float(score)},
                'pose': {'pose': pose, 'covariance': np.zeros(36)}} for name, score in names]
    return {'header': head, 'results': results, 'id': detection.id,
            'bbox': {'center': pose, 'size': _vector(detection.box.size)}}


def _markers(index: int, detection: 'Detection', head) -> List[Dict[str, Any]]:
    """Give the box of an object, and its name above it."""
    box, tint = detection.box, colour(detection.label)
    x, y, z, w = box.orientation
    up = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
    above = box.center + up * (box.size[2] / 2 + 0.03)
    common = {'header': head, 'id': index, 'type': CUBE, 'action': ADD}
    return [{**common, 'ns': 'boxes', 'pose': _pose(box.center, box.orientation),
             'scale': _vector(box.size), 'color': {**tint, 'a': 0.35}},
            {**common, 'ns': 'names', 'type': TEXT_VIEW_FACING,
             'pose': _pose(above, (0, 0, 0, 1)), 'scale': _vector((0, 0, 0.03)),
             'color': {'r': 1.0, 'g': 1.0, 'b': 1.0, 'a': 1.0},
             'text': f'{detection.label} {detection.score:.2f}'}]


def _vector(values) -> Dict[str, float]:
    return dict(zip('xyz', map(float, values)))


def _pose(position, orientation) -> Dict[str, Any]:
    """Give a geometry_msgs/Pose; the orientation as quaternion x, y, z, w."""
    return {'position': _vector(position),
            'orientation': dict(zip('xyzw', map(float, orientation)))}
