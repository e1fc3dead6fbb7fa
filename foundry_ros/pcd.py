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
Read .pcd files (PCL, format 0.5 to 0.7): ascii, binary and binary_compressed.

Format: https://pcl.readthedocs.io/projects/tutorials/en/latest/pcd_file_format.html; compression:
LZF as in Lehmann's liblzf, the fields one after the other.
"""

import struct
from typing import Dict, List, Tuple

from foundry_ros.cloud import CloudError
import numpy as np

MAX_HEADER = 1 << 16
KINDS = {'F': 'f', 'U': 'u', 'I': 'i'}


def read_pcd(content: bytes) -> np.ndarray:
    """
    Read the content of a .pcd file.

    :return: (height, width) structured, with the fields of the file; VIEWPOINT is not applied.
    :raises CloudError: the file is damaged or of another kind, in one line.
    """
    header, body = _header(content)
    dtype = _dtype(header)
    height, width = _shape(header)
    kind = _words(header, 'DATA')[0].lower()
    if kind not in READERS:
        raise CloudError(f'DATA is {kind!r}; ascii, binary and binary_compressed can be read')
    return READERS[kind](body, dtype, height * width).reshape(height, width)


def _header(content) -> Tuple[Dict[str, List[str]], memoryview]:
    """Split a file into the words of its header lines and what follows."""
    header, start = {}, 0
    while 'DATA' not in header:
        end = content.find(b'\n', start, MAX_HEADER)
        if end < 0:
            raise CloudError('this is no .pcd file: its header has no DATA line')
        words = content[start:end].decode('latin-1').split('#')[0].split()
        if words:
            header[words[0].upper()] = words[1:]
        start = end + 1
    return header, memoryview(content)[start:]


def _words(header, key, default=None) -> List[str]:
    words = header.get(key, default)
    if not words:
        raise CloudError(f'the .pcd header has no {key}')
    return words


def _numbers(header, key, default=None) -> List[int]:
    words = _words(header, key, default)
    if not all(word.isdecimal() and len(word) < 20 for word in words):
        raise CloudError(f'{key} {" ".join(words)[:100]} in the .pcd header is no count')
    return [int(word) for word in words]


def _dtype(header) -> np.dtype:
    """Describe one point; fields that are only padding get names of their own."""
    names = _words(header, 'FIELDS', header.get('COLUMNS'))
    sizes, kinds = _numbers(header, 'SIZE'), _words(header, 'TYPE')
    counts = _numbers(header, 'COUNT', ['1'] * len(names))
    if not len(names) == len(sizes) == len(kinds) == len(counts):
        raise CloudError('FIELDS, SIZE, TYPE and COUNT of the .pcd header differ in length')
    formats = []
    for i, (name, size, kind, count) in enumerate(zip(names, sizes, kinds, counts)):
        name = f'{name}{i}' if name == '_' or name in names[:i] else name
        code = f'{KINDS.get(kind.upper())}{size}'
        if code not in ('f4', 'f8', 'u1', 'u2', 'u4', 'u8', 'i1', 'i2', 'i4', 'i8'):
            raise CloudError(f'field {name} has the unknown type {kind} of size {size}')
        formats.append((name, '<' + code) if count == 1 else (name, '<' + code, (count,)))
    try:
        return np.dtype(formats)
    except (ValueError, OverflowError):
        raise CloudError('COUNT in the .pcd header is too large') from None


def _shape(header) -> Tuple[int, int]:
    width, height = _numbers(header, 'WIDTH')[0], _numbers(header, 'HEIGHT', ['1'])[0]
    points = _numbers(header, 'POINTS', [str(width * height)])[0]
    if points != width * height:
        raise CloudError(f'POINTS is {points}, but WIDTH x HEIGHT is {width} x {height}')
    return (height, width) if points else (1, 0)


def _ascii(body, dtype, points) -> np.ndarray:
    words = bytes(body).split()
    columns = sum(int(np.prod(dtype[name].shape)) for name in dtype.names)
    if len(words) < points * columns:
        raise CloudError(f'the file ends early: {len(words)} numbers where {points} points of '
                         f'{columns} are declared')
    try:
        table = np.array(words[:points * columns], np.float64).reshape(points, columns)
    except ValueError as error:
        raise CloudError(f'the file holds something that is no number: {error}') from None
    array, column = np.empty(points, dtype), 0
    with np.errstate(over='ignore', invalid='ignore'):
        for name in dtype.names:
            shape = dtype[name].shape
            end = column + int(np.prod(shape))
            array[name] = table[:, column:end].reshape(points, *shape)
            column = end
    return array


def _binary(body, dtype, points) -> np.ndarray:
    if len(body) < points * dtype.itemsize:
        raise CloudError(f'the file ends early: {len(body)} bytes where {points} points of '
                         f'{dtype.itemsize} bytes are declared')
    return np.frombuffer(body, dtype, points)


def _compressed(body, dtype, points) -> np.ndarray:
    if len(body) < 8:
        raise CloudError('the file ends before its compressed points')
    packed, unpacked = struct.unpack('<II', body[:8])
    if len(body) - 8 < packed:
        raise CloudError(f'the file ends early: {len(body) - 8} of {packed} compressed bytes')
    if unpacked != points * dtype.itemsize or unpacked > 300 * packed:  # LZF: 88 at best
        raise CloudError(f'{packed} bytes cannot unpack to {points} points of {dtype.itemsize}')
    data = _unpack(bytes(body[8:8 + packed]), unpacked)
    array, start = np.empty(points, dtype), 0
    for name in dtype.names:
        column = np.frombuffer(data, dtype[name], points, start)
        array[name] = column
        start += column.nbytes
    return array


def _unpack(data: bytes, size: int) -> bytearray:
    """Undo LZF: runs of literal bytes, and copies of what came before."""
    out, position = bytearray(), 0
    try:
        while position < len(data):
            control = data[position]
            position += 1
            if control < 32:
                out += data[position:position + control + 1]
                position += control + 1
                continue
            length = (control >> 5) + 2
            if length == 9:
                length += data[position]
                position += 1
            start = len(out) - ((control & 31) << 8) - data[position] - 1
            position += 1
            if start < 0:
                raise IndexError
            piece = out[start:start + length]
            while len(piece) < length:  # the copy overlaps what it writes
                piece += piece[:length - len(piece)]
            out += piece
    except IndexError:
        raise CloudError('the compressed points are damaged') from None
    if len(out) != size:
        raise CloudError(f'the compressed points are damaged: {len(out)} bytes, not {size}')
    return out


READERS = {'ascii': _ascii, 'binary': _binary, 'binary_compressed': _compressed}
