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
Fewer bits for an exported graph: 8-bit integers for CPUs, 16-bit floats for GPUs.

* ``int8`` keeps weights in 8 bits and finds the range of what they multiply in each run. On small
  inputs it is the fastest: what is not a product stays as it is.
* ``int8_static`` fixes those ranges beforehand, from samples. Then values are converted at the
  border of each product, which costs more nodes than it saves at these sizes.
* ``float16`` is for GPUs; on a CPU it is no faster.
"""

import logging
from pathlib import Path
import tempfile
from typing import Dict, Iterable, List

import numpy as np
import onnx
from onnxruntime.quantization import (CalibrationDataReader, quantize_dynamic, quantize_static,
                                      QuantType)
from onnxruntime.transformers.float16 import convert_float_to_float16

PRECISIONS = ('float32', 'int8', 'int8_static', 'float16')
PRODUCTS = ['MatMul', 'Gemm', 'Attention']
SHORT = 32    # terms of a sum


def convert(path, precision: str, samples: Iterable[Dict[str, np.ndarray]] = ()) -> None:
    """
    Rewrite an ONNX file in another precision.

    :param precision: one of :data:`PRECISIONS`. :param samples: inputs of the graph, for
        ``int8_static``.
    :raises ValueError: there is no such precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f'precision is one of {", ".join(PRECISIONS)}, not {precision!r}')
    path = str(path)
    if precision == 'float16':
        onnx.save(_halved(onnx.load(path)), path)
    elif precision != 'float32':
        _quantise(path, precision, samples)


def _quantise(path, precision, samples):
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises what it then does itself
    # Weights of 7 bits: of 8, x86 processors without VNNI add up pairs that no longer fit.
    options = {'op_types_to_quantize': PRODUCTS, 'weight_type': QuantType.QInt8,
               'nodes_to_exclude': left_out(path), 'reduce_range': True}
    with tempfile.TemporaryDirectory() as scratch:
        made = str(Path(scratch) / 'model.onnx')
        if precision == 'int8':
            quantize_dynamic(path, made, **options)
        else:
            quantize_static(path, made, Reader(samples), per_channel=True, extra_options={
                'OpTypesToExcludeOutputQuantization': PRODUCTS}, **options)
        Path(path).write_bytes(Path(made).read_bytes())


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert all but what is delicate, between whose operators nothing is cast to and fro."""
    model = convert_float_to_float16(model, keep_io_types=True,
                                     node_block_list=delicate(model.graph))
    made = [node for node in model.graph.node if node.op_type == 'Cast' and '_cast' in node.name]
    down = {node.output[0]: node.input[0] for node in made
            if node.attribute[0].i == onnx.TensorProto.FLOAT16}
    back = {node.output[0]: down[node.input[0]] for node in made if node.input[0] in down}
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            while name in back:
                name = back[name]
            node.input[i] = name
    return model


def delicate(graph: onnx.GraphProto) -> List[str]:
    """
    Name what 16 bits are too few for.

    Of rounded distances another one may be the least, and a region's weights may all vanish.
    """
    made_by = {output: node for node in graph.node for output in node.output}
    found = {node.name: node for node in graph.node if '/gather/' in node.name}
    ahead = [node for node in graph.node if node.op_type == 'ArgMin']
    while ahead:
        node = ahead.pop()
        found[node.name] = node
        ahead += [made_by[name] for name in node.input
                  if name in made_by and made_by[name].name not in found]
    return list(found)


def left_out(path) -> List[str]:
    """Name the products without weights, and those too short for 8 bits to be worth converting."""
    graph = onnx.load(str(path)).graph
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    names = []
    for node in graph.node:
        turned = any(a.name == 'transB' and a.i for a in node.attribute)
        if node.op_type in PRODUCTS and (node.input[1] not in weights or weights[
                node.input[1]][int(turned)] <= SHORT):
            names += [node.name, f'{node.name}_MatMul']  # as the quantiser renames a Gemm
    return names


class Reader(CalibrationDataReader):
    """Samples, one after the other."""

    def __init__(self, samples: Iterable[Dict[str, np.ndarray]]):
        self._samples = iter(samples)

    def get_next(self):
        """Give the next sample, None after the last."""
        return next(self._samples, None)
