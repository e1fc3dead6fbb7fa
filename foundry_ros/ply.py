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
Read the points of .ply files: ascii and binary of both byte orders.

Format: http://paulbourke.net/dataformats/ply/. Faces and other elements are left aside.
"""

from typing import List, NamedTuple, Tuple

from foundry_ros.cloud import CloudError
import numpy as np

MAX_HEADER = 1 << 16
TYPES = {'char': 'i1', 'uchar': 'u1', 'short': 'i2', 'ushort': 'u2', 'int': 'i4', 'uint': 'u4',
         'float': 'f4', 'double': 'f8', 'int8': 'i1', 'uint8': 'u1', 'int16': 'i2',
         'uint16': 'u2', 'int32': 'i4', 'uint32': 'u4', 'float32': 'f4', 'float64': 'f8'}
ORDERS = {'ascii': '=', 'binary_little_endian': '<', 'binary_big_endian': '>'}
RENAMED = {'red': 'r', 'green': 'g', 'blue': 'b', 'diffuse_red': 'r', 'diffuse_green': 'g',
           'diffuse_blue': 'b'}


class Element(NamedTuple):
    """One kind of thing in the file: how many there are, and (name, type) of its numbers."""

    name: str
    count: int
    properties: List[Tuple[str, str]]


def read_ply(content: bytes) -> np.ndarray:
    """
    Read the vertices of a .ply file.

    :return: (N,) structured, with the properties of the file; colours are called r, g and b.
    :raises CloudError: the file is damaged or of another kind, in one line.
    """
    kind, elements, body = _header(content)
    ascii_skip = binary_skip = 0
    for element in elements:
        dtype = _dtype(element, ORDERS[kind])
        if element.count > len(content):
            raise CloudError(f'the file ends early: {element.count} of {element.name} declared')
        if element.name == 'vertex':
            return (_ascii(body, dtype, element.count, ascii_skip) if kind == 'ascii' else
                    _binary(body, dtype, element.count, binary_skip))
        ascii_skip += element.count
        binary_skip += element.count * dtype.itemsize
    raise CloudError('the .ply file has no vertices')


def _header(content):
    """Return format, elements up to the vertices, and what follows the header."""
    end = content.find(b'end_header', 0, MAX_HEADER)
    start = content.find(b'\n', end) + 1
    lines = content[:max(end, 0)].decode('latin-1').splitlines()
    if not lines or lines[0].strip() != 'ply' or not start:
        raise CloudError('this is no .ply file: it has no header')
    kind, elements = None, []
    for words in filter(None, (line.split() for line in lines[1:])):
        try:
            if words[0] == 'format':
                kind = words[1]
            elif words[0] == 'element':
                elements.append(Element(words[1], int(words[2]), []))
            elif words[0] == 'property':
                elements[-1].properties.append((words[-1], ' '.join(words[1:-1])))
        except (IndexError, ValueError):
            raise CloudError(f'the .ply header has the line {" ".join(words)!r}') from None
    if kind not in ORDERS:
        raise CloudError(f'the .ply file has the unknown format {kind}')
    return kind, elements, memoryview(content)[start:]


def _dtype(element, order) -> np.dtype:
    """Describe one element, which has to be of fixed size."""
    formats = {}
    for name, kind in element.properties:
        if kind not in TYPES:
            raise CloudError(f'property {name} of {element.name} has the type {kind!r}, which '
                             'cannot be read')
        formats.setdefault(RENAMED.get(name, name), order + TYPES[kind])
    if element.count < 0 or len(formats) != len(element.properties):
        raise CloudError(f'the .ply header describes {element.name} wrongly')
    return np.dtype(list(formats.items()))


def _binary(body, dtype, count, skip) -> np.ndarray:
    if len(body) < skip + count * dtype.itemsize:
        raise CloudError(f'the file ends early: {len(body)} bytes where {count} points of '
                         f'{dtype.itemsize} bytes are declared')
    if not count:
        return np.empty(0, dtype)
    return np.frombuffer(body, dtype, count, skip)


def _ascii(body, dtype, count, skip) -> np.ndarray:
    lines = bytes(body).split(b'\n', skip + count)[skip:skip + count]
    words = b' '.join(lines).split()
    columns = len(dtype.names)
    if len(words) != count * columns:
        raise CloudError(f'the file is damaged: {len(words)} numbers where {count} points of '
                         f'{columns} are declared')
    try:
        table = np.array(words, np.float64).reshape(count, columns)
    except ValueError as error:
        raise CloudError(f'the file holds something that is no number: {error}') from None
    array = np.empty(count, dtype)
    with np.errstate(over='ignore', invalid='ignore'):
        for i, name in enumerate(dtype.names):
            array[name] = table[:, i]
    return array
