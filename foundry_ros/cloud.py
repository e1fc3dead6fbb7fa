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
Point clouds: sensor_msgs/PointCloud2 to arrays and back, without ROS and without copies.

A message is seen as a structured array over its own bytes; whatever has that form (a message, a
.pcd file, a .ply file) becomes a :class:`Cloud` by :func:`from_array`.
"""

from dataclasses import dataclass
import operator
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

# sensor_msgs/PointField: datatype -> numpy's name of it, without byte order
DATATYPES = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 8: 'f8'}
COORDINATES = ('x', 'y', 'z')
PACKED_COLOURS = ('rgb', 'rgba')
COLOURS = ('r', 'g', 'b')


class CloudError(ValueError):
    """A cloud that contradicts itself, or holds no x, y and z."""


@dataclass(frozen=True)
class Cloud:
    """
    A cloud in its own frame.

    ``xyz`` (N, 3) float32, metres, in the order of the message, so row by row over the image if
    organised; NaN and inf are kept. ``height`` * ``width`` = N, ``height`` is 1 when it is not
    organised. ``stamp`` in nanoseconds, ``rgb`` (N, 3) uint8 or None. The arrays are views of the
    message's bytes wherever its layout allows, and then cannot be written to.
    """

    xyz: np.ndarray
    height: int
    width: int
    frame_id: str = ''
    stamp: int = 0
    rgb: Optional[np.ndarray] = None

    @property
    def organised(self) -> bool:
        """Tell whether the points are the pixels of an image."""
        return self.height > 1

    def __len__(self) -> int:
        """Count the points, finite or not."""
        return len(self.xyz)


class Field(NamedTuple):
    """The contents of a sensor_msgs/PointField."""

    name: str
    offset: int
    datatype: int
    count: int


def from_message(msg: Any) -> Cloud:
    """
    Read a sensor_msgs/PointCloud2, of ROS 1 or 2, whoever deserialised it.

    :param msg: anything with the attributes of that message; ``data`` as any buffer of bytes.
    :raises CloudError: the message contradicts itself or has no x, y and z.
    """
    try:
        frame_id, stamp = _header(msg.header)
        dtype = _record(msg.fields, _count(msg, 'point_step'),
                        '>' if msg.is_bigendian else '<')
        array = _over_bytes(msg, dtype)
    except AttributeError as error:
        raise CloudError(f'this is no PointCloud2 message: {error}') from None
    return from_array(array, frame_id, stamp)


def from_array(array: np.ndarray, frame_id: str = '', stamp: int = 0) -> Cloud:
    """
    Make a cloud of records.

    :param array: (height, width) or (N,) structured, with fields x, y and z of any number type
        and, if there is colour, rgb or rgba (packed, 4 bytes) or r, g and b.
    :raises CloudError: no x, y and z, or a colour that cannot be read.
    """
    names = array.dtype.names or ()
    missing = [name for name in COORDINATES if name not in names]
    if missing:
        raise CloudError(f'the cloud has no field {", ".join(missing)}; its fields: '
                         f'{", ".join(names) or "none"}')
    array = np.atleast_2d(array)
    height, width = array.shape if array.size else (1, 0)
    return Cloud(_coordinates(array), height, width, frame_id, stamp, _colours(array))


def finite_mask(xyz: np.ndarray) -> np.ndarray:
    """
    Tell which points are measured.

    :param xyz: (N, 3).
    :return: (N,) bool, true where all three coordinates are finite.
    """
    mask = np.isfinite(xyz[:, 2])
    mask &= np.isfinite(xyz[:, 0])
    mask &= np.isfinite(xyz[:, 1])
    return mask


def transform(xyz: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """
    Turn and shift points into another frame.

    :param xyz: (N, 3).
    :param matrix: (4, 4) homogeneous, rotation and translation.
    :return: (N, 3) float32; points that are not finite stay so.
    """
    matrix = np.asarray(matrix, np.float32)
    with np.errstate(invalid='ignore', over='ignore'):
        return xyz.astype(np.float32, copy=False) @ matrix[:3, :3].T + matrix[:3, 3]


def records(xyz: np.ndarray, rgb: Optional[np.ndarray] = None) -> np.ndarray:
    """
    Join coordinates and colour to the records of an outgoing cloud.

    :param xyz: (N, 3); :param rgb: (N, 3) uint8 or None.
    :return: (N,) structured: x, y, z float32 and, with colour, rgb packed in a float32 as PCL
        does it.
    """
    names = COORDINATES if rgb is None else (*COORDINATES, 'rgb')
    array = np.empty(len(xyz), [(name, '<f4') for name in names])
    for i, name in enumerate(COORDINATES):
        array[name] = xyz[:, i]
    if rgb is not None:
        red, green, blue = rgb.astype(np.uint32).T
        array['rgb'] = (red << 16 | green << 8 | blue).astype('<u4').view('<f4')
    return array


def fields_to_bytes(array: np.ndarray) -> Dict[str, Any]:
    """
    Lay records out as the content of a sensor_msgs/PointCloud2.

    :param array: (N,) or (height, width) structured.
    :return: ``height, width, fields`` (dicts of name, offset, datatype, count), ``is_bigendian,
        point_step, row_step, data`` (bytes) and ``is_dense``.
    """
    codes = {name: code for code, name in DATATYPES.items()}
    fields = []
    for name in array.dtype.names:
        dtype, offset = array.dtype.fields[name][:2]
        if dtype.base.str[1:] not in codes or dtype.base.byteorder == '>':
            raise CloudError(f'field {name} is {dtype}, which is not sent in a PointCloud2')
        fields.append({'name': name, 'offset': offset, 'datatype': codes[dtype.base.str[1:]],
                       'count': int(np.prod(dtype.shape))})
    height, width = np.atleast_2d(array).shape
    step = array.dtype.itemsize
    dense = all(bool(np.isfinite(array[name]).all()) for name in COORDINATES)
    return {'height': height, 'width': width, 'fields': fields, 'is_bigendian': False,
            'point_step': step, 'row_step': step * width, 'data': array.tobytes(),
            'is_dense': dense}


def _header(header) -> Tuple[str, int]:
    """Return frame and nanoseconds of a std_msgs/Header (ROS 1 says secs and nsecs)."""
    if not isinstance(header.frame_id, str):
        raise CloudError(f'frame_id is {header.frame_id!r}, not a text')
    stamp = header.stamp
    seconds, rest = ('sec', 'nanosec') if hasattr(stamp, 'sec') else ('secs', 'nsecs')
    return header.frame_id, _count(stamp, seconds) * 10**9 + _count(stamp, rest)


def _count(msg, name) -> int:
    """Return an attribute that has to be a whole number."""
    value = getattr(msg, name)
    try:
        return operator.index(value)
    except TypeError:
        raise CloudError(f'{name} is {value!r}, not a whole number') from None


def _record(fields, point_step: int, order: str) -> np.dtype:
    """Describe one point; only the fields that are read are looked at."""
    wanted = {}
    names = []
    for field in fields:
        names.append(str(field.name))
        if field.name not in (*COORDINATES, *PACKED_COLOURS, *COLOURS):
            continue
        if field.name in wanted:
            raise CloudError(f'the field {field.name} occurs twice')
        wanted[field.name] = _checked(field, point_step)
    missing = [name for name in COORDINATES if name not in wanted]
    if missing:
        raise CloudError(f'the cloud has no field {", ".join(missing)}; its fields: '
                         f'{", ".join(names) or "none"}')
    _refuse_overlaps([wanted[name] for name in COORDINATES])
    return np.dtype({'names': list(wanted), 'itemsize': point_step,
                     'formats': [order + DATATYPES[f.datatype] for f in wanted.values()],
                     'offsets': [f.offset for f in wanted.values()]})


def _checked(field, point_step) -> Field:
    """Return a field that is one number inside the point."""
    name = field.name
    field = Field(name, *(_count(field, key) for key in ('offset', 'datatype', 'count')))
    if field.datatype not in DATATYPES:
        raise CloudError(f'field {name} has the unknown datatype {field.datatype}')
    if field.count != 1:
        raise CloudError(f'field {name} has count {field.count}; one number is expected')
    end = field.offset + np.dtype(DATATYPES[field.datatype]).itemsize
    if field.offset < 0 or end > point_step:
        raise CloudError(f'field {name} takes bytes {field.offset} to {end} of a point, but '
                         f'point_step is {point_step}')
    return field


def _refuse_overlaps(fields):
    """Raise CloudError when two coordinates share bytes."""
    fields = sorted(fields, key=lambda field: field.offset)
    for field, after in zip(fields, fields[1:]):
        if field.offset + np.dtype(DATATYPES[field.datatype]).itemsize > after.offset:
            raise CloudError(f'the fields {field.name} and {after.name} overlap')


def _over_bytes(msg, dtype) -> np.ndarray:
    """View the bytes of a message as (height, width) records."""
    height, width, row_step = (_count(msg, key) for key in ('height', 'width', 'row_step'))
    if min(height, width, row_step) < 0:
        raise CloudError('height, width or row_step is negative')
    if height * width == 0:
        return np.empty((1, 0), dtype)
    if height == 1 and row_step == 0:  # one row needs no step, and some drivers leave it out
        row_step = width * dtype.itemsize
    if row_step < width * dtype.itemsize:
        raise CloudError(f'row_step is {row_step}, but {width} points of {dtype.itemsize} bytes '
                         'do not fit in it')
    try:
        data = np.frombuffer(msg.data, np.uint8)
    except (TypeError, ValueError, BufferError):
        raise CloudError('data is no buffer of bytes') from None
    if len(data) < row_step * height:
        raise CloudError(f'data has {len(data)} bytes, but {height} rows of {row_step} bytes '
                         'are declared')
    array = np.ndarray((height, width), dtype, data, strides=(row_step, dtype.itemsize))
    array.flags.writeable = False
    return array


def _adjacent(array, offset, dtype, columns, step=None) -> np.ndarray:
    """View ``columns`` numbers of each record, ``step`` bytes apart, as (N, columns)."""
    start = array.view(np.dtype({'names': ['a'], 'formats': [dtype], 'offsets': [offset],
                                 'itemsize': array.dtype.itemsize}))['a']
    stride = start.dtype.itemsize if step is None else step
    view = np.lib.stride_tricks.as_strided(start, (*array.shape, columns),
                                           (*array.strides, stride), writeable=False)
    return view.reshape(-1, columns)


def _coordinates(array) -> np.ndarray:
    """Return (N, 3) float32: a view if x, y, z are adjacent and native, or else a copy."""
    kinds = [array.dtype.fields[name] for name in COORDINATES]
    offset = kinds[0][1]
    if [(kind, at) for kind, at, *_ in kinds] == [(np.dtype(np.float32), offset + 4 * i)
                                                  for i in range(3)]:
        return _adjacent(array, offset, np.float32, 3)
    xyz = np.empty((array.size, 3), np.float32)
    with np.errstate(over='ignore', invalid='ignore'):
        for i, name in enumerate(COORDINATES):
            xyz[:, i] = array[name].reshape(-1)
    return xyz


def _colours(array) -> Optional[np.ndarray]:
    """Return (N, 3) uint8, or None if there is no colour."""
    for name in PACKED_COLOURS:
        if name in array.dtype.names:
            dtype, offset = array.dtype.fields[name][:2]
            if dtype.itemsize != 4:
                raise CloudError(f'field {name} has {dtype.itemsize} bytes; colour is packed in 4')
            if dtype.byteorder == '>':  # bytes a, r, g, b
                return _adjacent(array, offset + 1, np.uint8, 3)
            return _adjacent(array, offset + 2, np.uint8, 3, step=-1)  # b, g, r, a
    if not all(name in array.dtype.names for name in COLOURS):
        return None
    return np.stack([_channel(array[name].reshape(-1)) for name in COLOURS], axis=1)


def _channel(values) -> np.ndarray:
    """Return one colour as uint8; fractions of one, where no value is greater, are scaled."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == 'f':
        values = np.nan_to_num(values.astype(np.float32), posinf=255, neginf=0)
        if values.size and values.max() <= 1:
            values = values * 255
    return np.clip(values, 0, 255).astype(np.uint8)
