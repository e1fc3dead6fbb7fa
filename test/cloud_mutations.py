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

"""Messages for :mod:`fuzz_clouds`: PointCloud2 of any layout, then spoilt in up to four ways."""

from copy import deepcopy
import random
import struct
from types import SimpleNamespace
from typing import Any, Dict, List

from cloud_messages import field, header, message
from foundry_ros.cloud import records
from reference_decoder import FORMATS
from table_scene import HEIGHT, table_cloud, WIDTH

# What a message of ROS can carry in its numbers of 32 bits.
EDGES = (0, 1, 2, 3, 7, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
NAMES = ('x', 'y', 'z', 'rgb', 'rgba', 'r', 'g', 'b', 'X', 'x ', '', 'intensity', 'x\0', 'é', '\n',
         'z' * 3000)
NUMBERS = (0.0, -0.0, 1.0, -1.0, float('nan'), float('inf'), -float('inf'), 1e-45, 3.4e38, 1e300,
           -1e300, 1e-320, 2.0**24 + 1)


def cloud(rng: random.Random) -> SimpleNamespace:
    """Make a whole message: any order, types, padding, byte order, shape and colour."""
    names = ['x', 'y', 'z', *rng.choice([[], ['rgb'], ['rgba'], ['r', 'g', 'b'], ['intensity']])]
    rng.shuffle(names)
    packed = rng.random() < 0.5
    fields, step = [], 0
    plain = rng.random() < 0.5
    for name in names:
        datatype = 7 if plain else rng.choice(list(FORMATS))
        if name in ('rgb', 'rgba'):
            datatype = rng.choice([5, 6, 7])
        step += 0 if packed else rng.randrange(6)
        fields.append(field(name, step, datatype))
        step += struct.calcsize(FORMATS[datatype])
    step += 0 if packed else rng.randrange(9)
    height = rng.choice([1, 1, rng.randrange(8)])
    width = rng.randrange(12) if height > 1 else rng.choice([0, 1, rng.randrange(80)])
    row = step * width + rng.choice([0, 0, rng.randrange(16)])
    big = rng.random() < 0.3
    return SimpleNamespace(header=header('camera', rng.randrange(2**31), rng.randrange(10**9)),
                           height=height, width=width, fields=fields, is_bigendian=big,
                           point_step=step, row_step=row, is_dense=rng.random() < 0.5,
                           data=_content(rng, fields, height, width, step, row, big))


def scene() -> SimpleNamespace:
    """Make a whole message of a table with boxes, every other pixel."""
    xyz = table_cloud().xyz.reshape(HEIGHT, WIDTH, 3)[::2, ::2]
    return message(records(xyz.reshape(-1, 3)).reshape(xyz.shape[:2]), is_dense=False)


def _content(rng, fields, height, width, step, row, big) -> bytes:
    """Fill the points with numbers between -2 and 2 or hard ones, the padding with chance."""
    data = bytearray(rng.randbytes(row * height))
    hard = rng.random() < 0.3
    for at in (v * row + u * step for v in range(height) for u in range(width)):
        for each in fields:
            code = FORMATS[each.datatype]
            if code not in 'fd' or each.name in ('rgb', 'rgba'):
                continue
            value = rng.choice(NUMBERS) if hard and rng.random() < 0.3 else rng.uniform(-2, 2)
            if code == 'f' and abs(value) > 3.4e38:
                value = float('inf')
            struct.pack_into('<>'[big] + code, data, at + each.offset, value)
    return bytes(data)


def _number(rng, old: int) -> int:
    """Change a number of 32 bits: by a little, to an edge, or altogether."""
    return rng.choice([max(old + rng.choice([-8, -4, -1, 1, 4, 8]), 0), rng.choice(EDGES), old * 2,
                       rng.randrange(64), rng.getrandbits(32)]) & 0xFFFFFFFF


def spoil_size(rng, msg):
    """Change height, width or a step, or swap two of them."""
    names = ['height', 'width', 'point_step', 'row_step']
    name, other = rng.sample(names, 2)
    if rng.random() < 0.2:
        values = getattr(msg, other), getattr(msg, name)
        setattr(msg, name, values[0])
        setattr(msg, other, values[1])
    else:
        setattr(msg, name, _number(rng, getattr(msg, name)))


def spoil_field(rng, msg):
    """Change one number of a field."""
    if msg.fields:
        one = rng.choice(msg.fields)
        name = rng.choice(['offset', 'datatype', 'count'])
        value = rng.randrange(256) if rng.random() < 0.5 else rng.randrange(10)
        setattr(one, name, value if name == 'datatype' else _number(rng, getattr(one, name)))


def spoil_names(rng, msg):
    """Rename a field, or drop, repeat or shuffle them."""
    way = rng.randrange(4)
    if way == 0 and msg.fields:
        rng.choice(msg.fields).name = rng.choice(NAMES)
    elif way == 1 and msg.fields:
        del msg.fields[rng.randrange(len(msg.fields))]
    elif way == 2 and msg.fields:
        msg.fields.append(deepcopy(rng.choice(msg.fields)))
    else:
        rng.shuffle(msg.fields)


def spoil_bytes(rng, msg):
    """Cut the data short, lengthen it, or overwrite some of it."""
    way, data = rng.randrange(3), bytearray(msg.data)
    if way == 0:
        del data[rng.randrange(len(data) + 1):]
    elif way == 1:
        data += rng.randbytes(rng.choice([1, 4, 16, 1000]))
    else:
        for _ in range(rng.randrange(1, 9) if data else 0):
            data[rng.randrange(len(data))] = rng.choice([0, 127, 128, 255, rng.randrange(256)])
    msg.data = bytes(data)


def spoil_block(rng, msg):
    """Overwrite a long piece: with chance, with one number over and over, with another piece."""
    length = rng.randrange(len(msg.data) // 2 + 1)
    at, other = (rng.randrange(len(msg.data) - length + 1) for _ in range(2))
    piece = rng.choice([rng.randbytes(length),
                        (struct.pack('<f', rng.choice(NUMBERS[:9])) * (length // 4 + 1))[:length],
                        msg.data[other:other + length]])
    msg.data = msg.data[:at] + piece + msg.data[at + length:]


def spoil_order(rng, msg):
    """Declare the other byte order."""
    msg.is_bigendian = not msg.is_bigendian


def spoil_header(rng, msg):
    """Change the stamp or the frame."""
    msg.header.frame_id = rng.choice(['', '/', 'camera', '\n\0', 'f' * 10**4])
    msg.header.stamp.sec = rng.choice([0, -1, -2**31, 2**31 - 1])
    msg.header.stamp.nanosec = rng.choice([0, 10**9 - 1, 10**9, 2**32 - 1])


SPOILERS = {'size': spoil_size, 'field': spoil_field, 'names': spoil_names, 'bytes': spoil_bytes,
            'block': spoil_block, 'order': spoil_order, 'header': spoil_header}


def mutant(rng: random.Random, whole_scene: bool = False) -> Dict[str, Any]:
    """
    Make a message and spoil it.

    :param whole_scene: of a scene with objects; or else of a few points.
    :return: ``message`` and ``ways``, the names of what was done to it (none of them: whole).
    """
    msg = scene() if whole_scene else cloud(rng)
    ways: List[str] = [rng.choice(list(SPOILERS)) for _ in range(rng.choice([0, 1, 1, 1, 2, 4]))]
    for way in ways:
        SPOILERS[way](rng, msg)
    return {'message': msg, 'ways': ways}
