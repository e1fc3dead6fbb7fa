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
Point clouds as arrays, without ROS and without copies.

Whatever can be seen as records (a message, a .pcd file, a .ply file) becomes a :class:`Cloud` by
:func:`from_array`.
"""

from dataclasses import dataclass
from typing import Any, Optional

from foundry_ros.pointcloud2 import (CloudError, colour_fields, COORDINATES, fields_to_bytes,
                                     frame_and_stamp, require_coordinates, view)
import numpy as np

__all__ = ['Cloud', 'CloudError', 'fields_to_bytes', 'finite_mask', 'from_array', 'from_message',
           'records', 'transform']


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


def from_message(msg: Any) -> Cloud:
    """
    Read a sensor_msgs/PointCloud2, of ROS 1 or 2, whoever deserialised it.

    :param msg: anything with the attributes of that message; ``data`` as any buffer of bytes.
    :raises CloudError: the message contradicts itself or has no x, y and z.
    """
    array = view(msg)
    return from_array(array, *frame_and_stamp(getattr(msg, 'header', None)))


def from_array(array: np.ndarray, frame_id: str = '', stamp: int = 0) -> Cloud:
    """
    Make a cloud of records.

    :param array: (height, width) or (N,) structured, with fields x, y and z of any number type
        and, if there is colour, rgb or rgba (packed, 4 bytes) or r, g and b.
    :raises CloudError: no x, y and z, or one of these fields that cannot be read.
    """
    names = array.dtype.names or ()
    require_coordinates(names)
    for name in (*COORDINATES, *colour_fields(names)):
        kind = array.dtype[name]
        if kind.shape or kind.kind not in 'iuf':
            raise CloudError(f'field {name} is {kind}; one number is expected')
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

    :param xyz: (N, 3), metres.
    :param rgb: (N, 3) uint8, or None.
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


def _adjacent(array, offset, dtype, step) -> np.ndarray:
    """View three numbers of each record, ``step`` bytes apart from ``offset``, as (N, 3)."""
    first = array.view(np.dtype({'names': ['first'], 'formats': [dtype], 'offsets': [offset],
                                 'itemsize': array.dtype.itemsize}))['first']
    three = np.lib.stride_tricks.as_strided(first, (*array.shape, 3), (*array.strides, step),
                                            writeable=False)
    height, width = array.shape
    if height > 1 and array.strides[0] != width * array.strides[1]:  # rows are padded: copy
        packed = np.empty(three.shape, dtype)
        for i in range(3):
            packed[..., i] = three[..., i]
        three = packed
    return three.reshape(-1, 3)


def _coordinates(array) -> np.ndarray:
    """Return (N, 3) float32: a view if x, y, z are adjacent and native, or else a copy."""
    fields = [array.dtype.fields[name][:2] for name in COORDINATES]
    offset = fields[0][1]
    if fields == [(np.dtype(np.float32), offset + 4 * i) for i in range(3)]:
        return _adjacent(array, offset, np.float32, 4)
    xyz = np.empty((array.size, 3), np.float32)
    with np.errstate(over='ignore', invalid='ignore'):
        for i, name in enumerate(COORDINATES):
            xyz[:, i] = array[name].reshape(-1)
    return xyz


def _colours(array) -> Optional[np.ndarray]:
    """Return (N, 3) uint8, or None if there is no colour."""
    names = colour_fields(array.dtype.names)
    if len(names) == 1:
        dtype, offset = array.dtype.fields[names[0]][:2]
        if dtype.itemsize != 4:
            raise CloudError(f'field {names[0]} has {dtype.itemsize} bytes; colour is packed in 4')
        if dtype.str[0] == '>':  # bytes a, r, g, b
            return _adjacent(array, offset + 1, np.uint8, 1)
        return _adjacent(array, offset + 2, np.uint8, -1)  # b, g, r, a
    if not names:
        return None
    channels = [array[name].reshape(-1) for name in names]
    # Fractions of one are told from bytes by all three: one colour may be dark everywhere.
    brightest = max((np.fmax.reduce(channel, initial=0) for channel in channels
                     if channel.dtype.kind == 'f'), default=0)
    return np.stack([_channel(channel, 255 if brightest <= 1 else 1) for channel in channels],
                    axis=1)


def _channel(values, scale) -> np.ndarray:
    """Return one colour as uint8; numbers that are no integers are scaled first."""
    if values.dtype == np.uint8:
        return values
    with np.errstate(invalid='ignore'):  # NaN of odd bits
        numbers = np.clip(np.nan_to_num(values.astype(np.float64)), 0, 255)
    if values.dtype.kind == 'f':
        numbers *= scale
    return numbers.astype(np.uint8)
