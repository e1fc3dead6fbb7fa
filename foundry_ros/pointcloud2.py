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
The layout of sensor_msgs/PointCloud2: its bytes as a structured array over them, and back.

The message may come from anybody: every number in it is checked before memory is looked at.
"""

import operator
from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

# sensor_msgs/PointField: datatype -> numpy's name of it, without byte order
DATATYPES = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 8: 'f8'}
CODES = {name: code for code, name in DATATYPES.items()}
COORDINATES = ('x', 'y', 'z')
COLOURS = (('rgb',), ('rgba',), ('r', 'g', 'b'))


def one_line(text: str, length: int) -> str:
    """Bring a text that may hold anything to one printable line."""
    shown = ''.join(letter if letter.isprintable() else ' ' for letter in text[:4 * length])
    return ' '.join(shown.split())[:length]


class CloudError(ValueError):
    """A cloud that contradicts itself, or holds no x, y and z, in one line."""

    def __init__(self, text: str):
        """Keep to one line of bearable length, whatever of the cloud is quoted in it."""
        super().__init__(one_line(text, 300))


class Field(NamedTuple):
    """The contents of a sensor_msgs/PointField."""

    name: str
    offset: int
    datatype: int
    count: int

    @property
    def end(self) -> int:
        """Give the offset behind it."""
        return self.offset + int(DATATYPES[self.datatype][1])


def view(msg: Any) -> np.ndarray:
    """
    View the points of a message, without a copy.

    :param msg: anything with the attributes of a sensor_msgs/PointCloud2; ``data`` as any buffer
        of bytes.
    :return: (height, width) structured, with those of its fields that are coordinates or
        colours; (1, 0) when the message is empty.
    :raises CloudError: the message contradicts itself or has no x, y and z.
    """
    try:
        order = '>' if msg.is_bigendian else '<'
        return _over_bytes(msg, _record(msg.fields, _integer(msg, 'point_step'), order))
    except CloudError:
        raise
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise CloudError(f'this is no PointCloud2 message: {error}') from None


def frame_and_stamp(header: Any) -> Tuple[str, int]:
    """
    Return the frame and the nanoseconds of a std_msgs/Header (ROS 1 says secs and nsecs).

    :raises CloudError: one of them is none.
    """
    try:
        names = ('sec', 'nanosec') if hasattr(header.stamp, 'sec') else ('secs', 'nsecs')
        seconds, rest = (_integer(header.stamp, name) for name in names)
        frame = header.frame_id
    except (AttributeError, TypeError) as error:
        raise CloudError(f'this is no header of a message: {error}') from None
    if not isinstance(frame, str):
        raise CloudError(f'frame_id is {frame!r}, not a text')
    if not (-2**31 <= seconds < 2**31 and 0 <= rest < 10**9):
        raise CloudError(f'the stamp of {seconds} s and {rest} ns is no time')
    return frame, seconds * 10**9 + rest


def fields_to_bytes(array: np.ndarray) -> Dict[str, Any]:
    """
    Lay records out as the content of a sensor_msgs/PointCloud2, header apart.

    :param array: (N,) or (height, width) structured, little-endian, with x, y and z.
    :return: ``height, width, fields`` (dicts of name, offset, datatype, count), ``is_bigendian,
        point_step, row_step, data`` (bytes) and ``is_dense``.
    :raises CloudError: a type that the message does not know.
    """
    fields = []
    for name in array.dtype.names:
        dtype, offset = array.dtype.fields[name][:2]
        code = CODES.get(dtype.base.str[1:])
        if code is None or dtype.base.str[0] == '>':
            raise CloudError(f'field {name} is {dtype}, which a PointCloud2 does not carry')
        fields.append({'name': name, 'offset': offset, 'datatype': code,
                       'count': int(np.prod(dtype.shape))})
    height, width = np.atleast_2d(array).shape
    step = array.dtype.itemsize
    dense = all(bool(np.isfinite(array[name]).all()) for name in COORDINATES)
    return {'height': height, 'width': width, 'fields': fields, 'is_bigendian': False,
            'point_step': step, 'row_step': step * width, 'data': array.tobytes(),
            'is_dense': dense}


def require_coordinates(names: Sequence[str]):
    """Raise CloudError unless x, y and z are among the names of the fields."""
    missing = [name for name in COORDINATES if name not in names]
    if missing:
        raise CloudError(f'the cloud has no field {", ".join(missing)}; its fields: '
                         f'{", ".join(names) or "none"}')


def colour_fields(names: Sequence[str]) -> Tuple[str, ...]:
    """
    Choose the fields that colour is read from.

    :return: one packed field, or three of one colour each, or none.
    """
    return next((colours for colours in COLOURS if all(name in names for name in colours)), ())


def _integer(msg, name) -> int:
    """Return an attribute that has to be a whole number."""
    return operator.index(getattr(msg, name))


def _record(fields, point_step: int, order: str) -> np.dtype:
    """Describe one point; fields that are not used are not looked at."""
    if point_step >= 2**31:
        raise CloudError(f'point_step is {point_step}: no point is that large')
    fields = list(fields)
    there = [str(field.name) for field in fields]
    require_coordinates(there)
    wanted = (*COORDINATES, *colour_fields(there))
    used = [_checked(field, name, point_step) for field, name in zip(fields, there)
            if name in wanted]
    names = [field.name for field in used]
    twice = [name for name in set(names) if names.count(name) > 1]
    if twice:
        raise CloudError(f'the field {twice[0]} occurs twice')
    _refuse_overlaps(used)
    return np.dtype({'names': names, 'itemsize': point_step,
                     'formats': [order + DATATYPES[field.datatype] for field in used],
                     'offsets': [field.offset for field in used]})


def _checked(field, name, point_step) -> Field:
    """Return a field that is one number inside the point."""
    field = Field(name, *(_integer(field, key) for key in ('offset', 'datatype', 'count')))
    if field.datatype not in DATATYPES:
        raise CloudError(f'field {name} has the unknown datatype {field.datatype}')
    if field.count != 1:
        raise CloudError(f'field {name} has count {field.count}; one number is expected')
    if field.offset < 0 or field.end > point_step:
        raise CloudError(f'field {name} takes bytes {field.offset} to {field.end} of a point, '
                         f'but point_step is {point_step}')
    return field


def _refuse_overlaps(fields):
    """Raise CloudError when a coordinate shares bytes with another field."""
    for coordinate in (field for field in fields if field.name in COORDINATES):
        for other in fields:
            if (coordinate is not other and coordinate.offset < other.end
                    and other.offset < coordinate.end):
                raise CloudError(f'the fields {coordinate.name} and {other.name} overlap')


def _over_bytes(msg, dtype) -> np.ndarray:
    """View the bytes of a message as (height, width) records."""
    height, width, row_step = (_integer(msg, key) for key in ('height', 'width', 'row_step'))
    if min(height, width, row_step) < 0:
        raise CloudError('height, width or row_step is negative')
    if height * width == 0:
        return np.empty((1, 0), dtype)
    if height == 1 and row_step == 0:  # one row needs no step, and some drivers leave it out
        row_step = width * dtype.itemsize
    if row_step < width * dtype.itemsize:
        raise CloudError(f'row_step is {row_step}, but {width} points of {dtype.itemsize} bytes '
                         'do not fit in it')
    size = memoryview(msg.data).nbytes
    if size < row_step * height:
        raise CloudError(f'data has {size} bytes, but {height} rows of {row_step} bytes are '
                         'declared')
    return np.ndarray((height, width), dtype, np.frombuffer(msg.data, np.uint8),
                      strides=(row_step, dtype.itemsize))
