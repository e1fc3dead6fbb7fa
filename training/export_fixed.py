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
Any student with its heads at one budget as an ONNX graph.

To check that a baseline exports and to measure its latency as the robot would run it; bundles
for the robot serve every budget and are written by :mod:`training.export`.
"""

from typing import Dict
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn

from training.export import OPSET
from training.tasks.finetune import Recogniser


class FixedBudget(nn.Module):
    """The recogniser at one budget: every shape but the batch is fixed."""

    def __init__(self, model: Recogniser, budget: int):
        super().__init__()
        self.model, self.budget = model, budget

    def forward(self, groups, centers):
        """Give features (B, F), class logits (B, classes) and part logits (B, c, parts)."""
        rebuilt = self.model.student(groups, centers, self.budget)
        features = rebuilt.summary
        return features, self.model.class_head(features), self.model.part_head(rebuilt.tokens)


def write_onnx(model: Recogniser, path, budget: int, groups: int = 64, neighbours: int = 32
               ) -> None:
    """Trace the recogniser at a budget to ONNX with a dynamic batch."""
    write_graph(FixedBudget(model, budget), path, groups, neighbours, groups)


def write_graph(graph: nn.Module, path, groups: int, neighbours: int, centers: int) -> None:
    """
    Trace what gives the outputs of a recogniser to ONNX with a dynamic batch.

    :param graph: of groups (B, groups, neighbours, 3) and centers (B, centers, 3).
    """
    example = torch.randn(2, groups, neighbours, 3) * 0.1, torch.randn(2, centers, 3)
    names = ['features', 'class_logits', 'part_logits']
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the tracer warns of every shape that it fixes
        torch.onnx.export(
            graph.eval(), example, str(path), opset_version=OPSET, dynamo=False,
            input_names=['groups', 'centers'], output_names=names,
            dynamic_axes={n: {0: 'objects'} for n in ('groups', 'centers', *names)})


def largest_difference(model: Recogniser, path, budget: int, groups, centers) -> float:
    """Give the largest absolute difference of any output between graph and model, NumPy in."""
    return difference(FixedBudget(model, budget).eval(), path,
                      {'groups': groups, 'centers': centers})


@torch.no_grad()
def difference(model: nn.Module, path, inputs: Dict[str, np.ndarray]) -> float:
    """
    Give the largest absolute difference of any output between a graph and what it was traced from.

    :param inputs: by name, in the model's order; a graph may have lost some that it does not use.
    """
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    wanted = model(*map(torch.from_numpy, inputs.values()))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    got = session.run(None, {i.name: inputs[i.name] for i in session.get_inputs()})
    return float(max(abs(g - w.numpy()).max() for g, w in zip(got, wanted)))
