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
What an ONNX file would reach for outside itself, read without the onnx package.

onnxruntime follows an external-data path wherever it leads, so a bundle is looked through before
it is loaded. Only the wire format of protobuf is needed: each field is a key (number, kind) and
a value; the numbers are those of onnx.proto3. What protobuf would read otherwise than this does
is refused.
"""

from itertools import count
from typing import Iterator, List, Tuple

# Message -> {field number: (message it holds)}; everything else is skipped.
_MESSAGES = {
    'Model': {7: 'Graph', 25: 'Function'},
    'Graph': {1: 'Node', 5: 'Tensor', 15: 'SparseTensor'},
    'Function': {7: 'Node', 11: 'Attribute'},
    'Node': {5: 'Attribute'},
    'Attribute': {5: 'Tensor', 6: 'Graph', 10: 'Tensor', 11: 'Graph', 22: 'SparseTensor',
                  23: 'SparseTensor'},
    'SparseTensor': {1: 'Tensor', 2: 'Tensor'},
    'Tensor': {},
}
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_NODE_OPERATOR, _NODE_DOMAIN = 4, 7
# Operators of these domains are part of onnxruntime itself.
_DOMAINS = ('', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft')
# This one holds what a provider compiled elsewhere, or the path of it.
_COMPILED = 'EPContext'
_DEEPEST = 64
_MOST_FIELDS = 1 << 20
_ORT_FORMAT = b'ORTM'  # onnxruntime's own format, told by these bytes at 4: not looked through


def offences(model: bytes) -> List[str]:
    """
    List what keeps a model from standing on its own, in words.

    :param model: the bytes of an ONNX file.
    :return: empty where all weights are inside and all operators are onnxruntime's own.
    :raises ValueError: the bytes are no ONNX model.
    """
    if model[4:8] == _ORT_FORMAT:
        raise ValueError("it is in onnxruntime's own format")
    found = []
    _walk(memoryview(model), 'Model', found, 0, count())
    return list(dict.fromkeys(found))


def _walk(data, message, found, depth, counter):
    """Collect the offences of a message and of those that it holds."""
    if depth > _DEEPEST:
        raise ValueError('nested too deeply')
    names = {_NODE_OPERATOR: '', _NODE_DOMAIN: ''}
    for number, value in _fields(data, counter):
        inner = _MESSAGES[message].get(number)
        whole = isinstance(value, memoryview)
        if inner is not None and whole:
            _walk(value, inner, found, depth + 1, counter)
        elif message == 'Tensor' and (number == _TENSOR_EXTERNAL_DATA
                                      or (number == _TENSOR_DATA_LOCATION and value)):
            found.append('keeps weights in another file')
        elif message == 'Node' and number in names and whole:
            names[number] = bytes(value[:100]).decode('utf-8', 'replace')
    operator, domain = names.values()
    if domain not in _DOMAINS:
        found.append(f'needs the custom operator {domain}:{operator}')
    elif operator == _COMPILED:
        found.append('holds a part that was compiled for another program')


def _fields(data: memoryview, counter) -> Iterator[Tuple[int, object]]:
    """Give the fields of a message: its number, and an int or bytes (fixed numbers: None)."""
    at = 0
    while at < len(data):
        if next(counter) == _MOST_FIELDS:
            raise ValueError('it has too many fields')
        key, at = _varint(data, at)
        kind, value = key & 7, None
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            at += {1: 8, 5: 4}.get(kind, len(data))
        if at > len(data) or key >> 32:  # of a longer key protobuf would see another number
            raise ValueError('not a protobuf message')
        yield key >> 3, value


def _varint(data, at):
    """Read a variable-length integer; give it and where it ends."""
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError('not a protobuf message')
