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
What a user might run instead of the student, as ONNX files of random weights: speed needs no more.

``python -m foundry_ros bench --network`` sets them beside a bundle. All have a class head and,
but for PointNet++, the head for parts that the student has.
"""

from functools import lru_cache
from pathlib import Path
import time
from typing import Dict, Tuple
import warnings

from foundry_ros.tokens import group, tokenise
import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from training.config import RunError
from training.data import shapes
from training.export import OPSET, opset_of, TOLERANCE
from training.export_fixed import difference
from training.models.backbone import Backbone, pool
from training.models.exact import rewritten
from training.models.foundry import Foundry
from training.models.heads import ClassHead, PartHead
from training.models.pointnet2 import PointNet2
from training.models.reduced import Progressive
from training.models.tokenizer import Tokenizer
from training.operators import FusedEncoder
from training.precision import convert
from training.tasks.common import size_of

ROUGH = 0.05    # tolerance of a graph in 8 bits: with random weights logits are within ±1
TOKENS = {'groups': (64, 32, 3), 'centers': (64, 3)}


class PublishedTokenizer(nn.Module):
    """The tokenizer literally as published: convolutions on points, features concatenated."""

    def __init__(self, like: Tokenizer):
        super().__init__()
        inner, outer, mix, last = (layer.out_features for layer in (
            like.inner, like.outer, like.mix, like.last))
        self.first = nn.Sequential(nn.Conv1d(3, inner, 1), nn.BatchNorm1d(inner), nn.ReLU(),
                                   nn.Conv1d(inner, outer, 1))
        self.second = nn.Sequential(nn.Conv1d(2 * outer, mix, 1), nn.BatchNorm1d(mix), nn.ReLU(),
                                    nn.Conv1d(mix, last, 1))

    def forward(self, groups: torch.Tensor) -> torch.Tensor:
        """Map groups (B, c, k, 3) to tokens (B, c, width)."""
        x = self.first(groups.flatten(0, 1).transpose(1, 2))
        x = torch.cat([x.amax(2, keepdim=True).expand(-1, -1, x.shape[2]), x], dim=1)
        return self.second(x).amax(2).view(*groups.shape[:2], -1)


class AllFused(nn.Module):
    """Foundry with every token fused, and nothing computed for tokens that are kept."""

    def __init__(self, student: Foundry):
        super().__init__()
        self.backbone, self.supertokens = student.backbone, student.supertokens
        self.upsample = student.upsample

    def forward(self, groups: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
        """Rebuild the teacher's tokens (B, c, d); positions are of no use to supertokens."""
        tokens = self.backbone.tokenizer(groups)
        fused, back, filled = self.supertokens(tokens, None, self.supertokens.count)
        mask = torch.where(filled, 0.0, -1e4)[:, None, None]
        return self.upsample(tokens + back @ self.backbone.encoder(fused, None, mask))


class Baseline(nn.Module):
    """A backbone or a student, with heads."""

    def __init__(self, network: nn.Module, width: int, classes: int, parts: int):
        super().__init__()
        self.network = network
        self.class_head, self.part_head = ClassHead(width, classes), PartHead(width, parts)

    def forward(self, groups, centers):
        """Give class logits (B, classes) and part logits (B, c, parts)."""
        made = self.network(groups, centers)
        tokens = getattr(made, 'tokens', made)
        return self.class_head(pool(tokens)), self.part_head(tokens)


def models(config) -> Dict[str, Tuple[str, nn.Module]]:
    """Make them: {name: (title, model)}."""
    size, counts = size_of(config['model']), config['counts']
    width, (classes, parts) = size.width, config['heads'].values()

    def teacher():
        return Baseline(Backbone(size), width, classes, parts)

    made = {'teacher': ('teacher as published', published(teacher()))}
    exact = rewritten(teacher())
    exact.network.encoder = FusedEncoder(exact.network.encoder)
    made['teacher_exact'] = 'teacher, exact algebra', exact
    for count in counts:
        made[f'foundry_{count}'] = f'Foundry as published, s = {count}', published(Baseline(
            AllFused(Foundry(size, width, count, gate=False)), width, classes, parts))
    for kind, title in (('tome', 'ToMe'), ('pitome', 'PiToMe')):
        made[f'{kind}_{counts[0]}'] = f'{title} of the teacher, {counts[0]} left', published(
            Baseline(Progressive(size, width, counts[0], kind), width, classes, parts))
    made['pointnet2'] = 'PointNet++ (SSG, classes alone)', PointNet2(classes)
    return made


def published(model: Baseline) -> Baseline:
    """Put the published tokenizer in place of ours."""
    backbone = getattr(model.network, 'backbone', model.network)
    backbone.tokenizer = PublishedTokenizer(backbone.tokenizer)
    return model


def write(model: nn.Module, path, title: str) -> None:
    """Trace a model to ONNX with a dynamic batch, and put its title into the file."""
    inputs = getattr(model, 'inputs', TOKENS)
    example = tuple(torch.rand(2, *shape) for shape in inputs.values())
    outputs = ['class_logits', 'part_logits'][:2 if isinstance(model, Baseline) else 1]
    axes = {name: {0: 'objects'} for name in (*inputs, *outputs)}
    if isinstance(getattr(model, 'network', None), (Backbone, AllFused)):  # large scenes, too
        for name in (*inputs, 'part_logits'):
            axes[name][1] = 'groups'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the tracer warns of every shape that it fixes
        torch.onnx.export(model, example, str(path), opset_version=OPSET, dynamo=False,
                          input_names=list(inputs), output_names=outputs, dynamic_axes=axes)
    entitle(path, title)


def entitle(path, title: str) -> None:
    """Put a title into an ONNX file."""
    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, {'title': title})
    onnx.save(graph, str(path))


@lru_cache(maxsize=None)
def samples() -> Dict[str, np.ndarray]:
    """Give a box, a can and a bowl as networks are given them, one's inputs by name."""
    made = shapes.simulated()
    found = tokenise([made.points[made.labels == label][0] for label in range(3)])
    count, size = PointNet2.inputs['near_groups'][:2]
    near = group(found.points, count, size)
    far = group(near.centers, *PointNet2.inputs['far_members'])
    return {'groups': found.groups, 'centers': found.centers, 'near_groups': near.groups,
            'far_groups': far.groups, 'far_members': far.neighbours.astype(np.float32)}


def checked(model: nn.Module, path, tolerance: float = TOLERANCE) -> float:
    """
    Give the largest difference of any output between a graph and its model, on :func:`samples`.

    :raises RunError: it is ``tolerance`` or more.
    """
    inputs = samples()
    largest = difference(model, path, {n: inputs[n] for n in getattr(model, 'inputs', TOKENS)})
    if not largest < tolerance:
        raise RunError(f'{path} differs from the model by {largest:.1e}')
    return largest


@torch.no_grad()
def in_torch(model: nn.Module, path, rounds: int = 5) -> float:
    """Tell how many times as long as onnxruntime torch takes for an object, one thread each."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    inputs = {name: np.random.rand(1, *shape).astype(np.float32) for name, shape in TOKENS.items()}
    torch.set_num_threads(1)
    ratios = []
    for _ in range(rounds):
        start = time.perf_counter()
        model(*map(torch.tensor, inputs.values()))
        middle = time.perf_counter()
        session.run(None, inputs)
        ratios.append((middle - start) / (time.perf_counter() - middle))
    return float(np.median(ratios[1:]))


def run(config, resume=False):
    """Write the folder ``output``."""
    del resume
    folder = Path(config['output'])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config['seed'])
    for name, (title, model) in models(config).items():
        path = folder / f'{name}.onnx'
        write(model.eval().requires_grad_(False), path, title)
        print(f'{name}: onnx - torch at most {checked(model, path):.1e}, opset {opset_of(path)}')
        if name == 'teacher':
            print(f'torch takes {in_torch(model, path):.2f} times as long for the teacher as '
                  'onnxruntime does')
        if name == 'teacher_exact':
            smaller = folder / 'teacher_exact_int8.onnx'
            smaller.write_bytes(path.read_bytes())
            convert(smaller, 'int8')
            entitle(smaller, f'{title}, int8')
            print(f'{smaller.stem}: onnx - torch at most {checked(model, smaller, ROUGH):.1e}, '
                  f'opset {opset_of(smaller)}')
    print(f'wrote {", ".join(sorted(path.stem for path in folder.glob("*.onnx")))} to {folder}')
