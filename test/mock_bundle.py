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
A model bundle with the exact inputs and outputs of a real one and random weights.

The features are the mean of the first ``token_budget`` groups, so the budget has an effect; the
keyword arguments break what a test wants broken.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import yaml

GROUPS, NEIGHBOURS, FEATURES = 64, 32, 16
CLASSES = ('bottle', 'bowl', 'chair', 'cup')
PARTS = ('chair/back', 'chair/leg', 'chair/seat', 'cup/body', 'cup/handle')
MANIFEST = {
    'name': 'mock', 'version': '1.0', 'classes': list(CLASSES), 'parts': list(PARTS),
    'part_classes': {'chair': ['chair'], 'cup': ['cup']},
    'points': 1024, 'groups': GROUPS, 'neighbours': NEIGHBOURS, 'up_axis': '+z',
    'token_budgets': [1, 2, 4, 8, 16, 32, 64], 'score_temperature': 1.0, 'class_sizes': {},
    'opset': 17, 'training_data': ['none, random weights'], 'licence': 'Apache-2.0',
    'accuracy': {},
}


def make_model(classes=len(CLASSES), parts=len(PARTS), winner=None, inputs=(), outputs=(),
               groups_type=TensorProto.FLOAT, operator=None, batch='batch', neighbours=NEIGHBOURS,
               groups=GROUPS):
    """
    Build the graph.

    :param winner: index of a class that always wins by far, or None.
    :param inputs: names of the three inputs where they are not those of the contract.
    :param outputs: names of the three outputs where they are not those of the contract.
    :param operator: (domain, name) of an operator to put in, or None.
    :return: an onnx.ModelProto.
    """
    names = list(inputs or ('groups', 'centers', 'token_budget'))
    results = list(outputs or ('features', 'class_logits', 'part_logits'))
    rng = np.random.default_rng(0)
    bias = np.zeros(classes, np.float32)
    if winner is not None:
        bias[winner] = 20.0
    constants = {
        'lift': rng.normal(0, 3, (3, FEATURES)), 'place': rng.normal(0, 3, (3, FEATURES)),
        'to_class': rng.normal(0, 1, (FEATURES, classes)), 'bias': bias,
        'to_part': rng.normal(0, 3, (FEATURES, parts))}
    initializers = [numpy_helper.from_array(np.asarray(value, np.float32), name)
                    for name, value in constants.items()]
    initializers += [numpy_helper.from_array(np.array([value], np.int64), name)
                     for name, value in (('zero', 0), ('one', 1))]
    node = helper.make_node
    source = names[0]
    nodes = []
    if groups_type != TensorProto.FLOAT:
        nodes.append(node('Cast', [source], ['cast'], to=TensorProto.FLOAT))
        source = 'cast'
    if operator:
        nodes.append(node(operator[1], [source], ['odd'], domain=operator[0]))
        source = 'odd'
    nodes += [
        node('ReduceMax', [source], ['reach'], axes=[2], keepdims=0),
        node('MatMul', ['reach', 'lift'], ['lifted']),
        node('MatMul', [names[1], 'place'], ['placed']),
        node('Add', ['lifted', 'placed'], ['summed']),
        node('Tanh', ['summed'], ['tokens']),
        node('Reshape', [names[2], 'one'], ['stop']),
        node('Slice', ['tokens', 'zero', 'stop', 'one'], ['kept']),
        node('ReduceMean', ['kept'], [results[0]], axes=[1], keepdims=0),
        node('MatMul', [results[0], 'to_class'], ['scores']),
        node('Add', ['scores', 'bias'], [results[1]]),
        node('MatMul', ['tokens', 'to_part'], [results[2]])]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, 'mock',
        [info(names[0], groups_type, [batch, groups, neighbours, 3]),
         info(names[1], TensorProto.FLOAT, [batch, groups, 3]),
         info(names[2], TensorProto.INT64, [])],
        [info(results[0], TensorProto.FLOAT, [batch, FEATURES]),
         info(results[1], TensorProto.FLOAT, [batch, classes]),
         info(results[2], TensorProto.FLOAT, [batch, groups, parts])],
        initializers)
    opsets = [helper.make_opsetid('', 17)]
    if operator:
        opsets.append(helper.make_opsetid(operator[0], 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def make_bundle(folder, manifest=None, drop=(), **graph) -> Path:
    """
    Write a bundle.

    :param folder: where; made if missing.
    :param manifest: values that replace those of :data:`MANIFEST`.
    :param drop: keys that are left out.
    :param graph: for :func:`make_model`.
    :return: the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = make_model(**graph).SerializeToString()
    (folder / 'model.onnx').write_bytes(model)
    content = {**MANIFEST, 'sha256': hashlib.sha256(model).hexdigest(), **(manifest or {})}
    content = {key: value for key, value in content.items() if key not in drop}
    (folder / 'manifest.yaml').write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def externalise(folder, location):
    """Move the weights of a bundle to a file beside (or outside) it, checksum kept right."""
    folder = Path(folder)
    model = onnx.load(str(folder / 'model.onnx'))
    for tensor in model.graph.initializer:
        if tensor.name == 'lift':
            (folder / location).write_bytes(tensor.raw_data)
            tensor.ClearField('raw_data')
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key='location', value=location)
    data = model.SerializeToString()
    (folder / 'model.onnx').write_bytes(data)
    content = yaml.safe_load((folder / 'manifest.yaml').read_text())
    content['sha256'] = hashlib.sha256(data).hexdigest()
    (folder / 'manifest.yaml').write_text(yaml.safe_dump(content, sort_keys=False))
