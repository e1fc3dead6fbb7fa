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
A second reader of PointCloud2, slow and plain, to compare the fast one with.

It reads number by number with :mod:`struct`, after the comments of sensor_msgs/PointCloud2 and
PointField, and shares no code with the package.
"""

from dataclasses import dataclass
import math
import struct
from typing import List, Optional, Tuple

FORMATS = {1: 'b', 2: 'B', 3: 'h', 4: 'H', 5: 'i', 6: 'I', 7: 'f', 8: 'd'}


class Contradiction(Exception):
    """The message does not say where its points are, or they are not in it."""


@dataclass
class Decoded:
    """The points of a message as Python numbers; ``rgb`` is None where there is no colour."""

    height: int
    width: int
    frame_id: str
    stamp: int
    xyz: List[Tuple[float, float, float]]
    rgb: Optional[List[Tuple[int, int, int]]]


def decode(msg) -> Decoded:
    """
    Read a message.

    :raises Contradiction: it cannot be read without a guess.
    """
    stamp = msg.header.stamp
    if not 0 <= stamp.nanosec < 10**9:
        raise Contradiction('stamp')
    if msg.point_step >= 2**31:
        raise Contradiction('point_step')
    places = _places(msg)
    height, width = msg.height, msg.width
    if height * width == 0:
        height, width = 1, 0
    elif (msg.row_step if height > 1 or msg.row_step else math.inf) < width * msg.point_step:
        raise Contradiction('rows overlap')
    elif len(msg.data) < height * (msg.row_step or width * msg.point_step):
        raise Contradiction('data is short')
    points = [{name: struct.unpack_from(code, msg.data, v * msg.row_step + u * msg.point_step + at)
               for name, (at, code) in places.items()}
              for v in range(height) for u in range(width)]
    numbers = [{name: value for name, (value,) in point.items()} for point in points]
    return Decoded(height, width, msg.header.frame_id, stamp.sec * 10**9 + stamp.nanosec,
                   [tuple(point[axis] for axis in 'xyz') for point in numbers],
                   _colours(numbers, places))


def _places(msg):
    """Give offset and format of each field that is read."""
    order = '>' if msg.is_bigendian else '<'
    there, places = {field.name for field in msg.fields}, {}
    colour = ({'rgb'} if 'rgb' in there else {'rgba'} if 'rgba' in there else
              {'r', 'g', 'b'} if {'r', 'g', 'b'} <= there else set())
    for field in msg.fields:
        if field.name not in {'x', 'y', 'z'} | colour:
            continue
        if field.name in places or field.datatype not in FORMATS or field.count != 1:
            raise Contradiction(f'field {field.name}')
        code = order + FORMATS[field.datatype]
        if field.name in ('rgb', 'rgba'):
            if struct.calcsize(code) != 4:
                raise Contradiction('colour')
            code = order + 'I'  # the bytes of a packed colour, whatever they are declared as
        if field.offset < 0 or field.offset + struct.calcsize(code) > msg.point_step:
            raise Contradiction(f'{field.name} is outside of the point')
        places[field.name] = field.offset, code
    if not {'x', 'y', 'z'} <= set(places):
        raise Contradiction('coordinates')
    taken = [(at, at + struct.calcsize(code), name) for name, (at, code) in places.items()]
    for start, stop, name in taken:
        for other_start, other_stop, other in taken:
            if name in 'xyz' and name != other and start < other_stop and other_start < stop:
                raise Contradiction(f'{name} and {other} share bytes')
    return places


def _colours(points, places):
    """Give (red, green, blue) of each point."""
    packed = next((name for name in ('rgb', 'rgba') if name in places), None)
    if packed:
        return [(point[packed] >> 16 & 255, point[packed] >> 8 & 255, point[packed] & 255)
                for point in points]
    if 'r' not in places:
        return None
    fractions = [name for name in 'rgb' if places[name][1][-1] in 'fd']
    bright = any(point[name] > 1 for point in points for name in fractions)
    return [tuple(_byte(point[name], name in fractions and not bright) for name in 'rgb')
            for point in points]


def _byte(value, fraction) -> int:
    """Bring a colour to 0 to 255; NaN is black."""
    if math.isnan(value):
        return 0
    return int(min(max(value * 255 if fraction else value, 0), 255))
