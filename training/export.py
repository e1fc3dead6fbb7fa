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

"""A fine-tuned student to a model bundle: one ONNX graph for every budget, and its manifest."""

import hashlib
import os
from pathlib import Path
import tempfile
from typing import Dict, Iterator, List
import warnings

from foundry_ros import tokens as robot_tokens
import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
import yaml

from training.config import ConfigError, RunError
from training.data import sets, vocabulary
from training.export_supertokens import AnyBudget
from training.models.exact import rewritten
from training.models.regions import RegionStudent
from training.models.student import MENU, Student
from training.operators import FusedEncoder
from training.precision import convert, PRECISIONS
from training.tasks.common import weights
from training.tasks.finetune import Recogniser
from training.tasks.distill import make_student

OPSET = 17
TOLERANCE = 1e-3    # of a graph in the precision of the model
INPUTS = ('groups', 'centers', 'token_budget')
OUTPUTS = ('features', 'class_logits', 'part_logits')


class AsItIs(nn.Module):
    """A recogniser whose student's code works with a budget that is a tensor as it is."""

    def __init__(self, model: Recogniser):
        super().__init__()
        self.model = model

    def forward(self, groups, centers, token_budget):
        """Give features (B, F), class logits (B, classes) and part logits (B, c, parts)."""
        rebuilt = self.model.student(groups, centers, token_budget)
        features = rebuilt.summary
        return features, self.model.class_head(features), self.model.part_head(rebuilt.tokens)


def graph_of(model: Recogniser) -> nn.Module:
    """Give what is traced of a recogniser: the same function of groups, centres and a budget."""
    model = rewritten(model)
    if not isinstance(model.student, RegionStudent):
        return AnyBudget(model)
    model.student.backbone.encoder = FusedEncoder(model.student.backbone.encoder,
                                                  model.student.early)
    return AsItIs(model)


def write_onnx(model: Recogniser, path) -> None:
    """
    Trace the recogniser to ONNX with the budget as an input.

    The batch is dynamic; so is the number of groups of a student of regions.
    """
    graph = graph_of(model)
    axes = {name: {0: 'objects'} for name in (*INPUTS[:2], *OUTPUTS)}
    if isinstance(graph, AsItIs):
        for name in ('groups', 'centers', 'part_logits'):
            axes[name][1] = 'groups'
    example = (torch.randn(2, 64, 32, 3) * 0.1, torch.randn(2, 64, 3), torch.tensor(32))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the tracer warns of every shape that it fixes
        torch.onnx.export(graph.eval(), example, str(path), opset_version=OPSET, dynamo=False,
                          input_names=list(INPUTS), output_names=list(OUTPUTS),
                          dynamic_axes=axes)


def largest_differences(model: Recogniser, path, groups, centers,
                        provider: str = 'CPUExecutionProvider') -> dict:
    """
    Compare ONNX with torch on real samples: {budget: largest absolute difference of any output}.

    :param groups: (B, 64, 32, 3). :param centers: (B, 64, 3).
    :param provider: execution provider of onnxruntime; without TF32 on a GPU.
    :raises RunError: onnxruntime cannot use the provider.
    """
    options = {'use_tf32': '0'} if provider.startswith('CUDA') else {}
    session = onnxruntime.InferenceSession(str(path), providers=[(provider, options)])
    if session.get_providers()[0] != provider:
        raise RunError(f'onnxruntime offers {provider} but cannot use it here: repair its driver, '
                       'or install onnxruntime in place of onnxruntime-gpu to check on the CPU')
    model.eval()
    found = {}
    for budget in MENU:
        got = session.run(None, {'groups': groups, 'centers': centers,
                                 'token_budget': np.array(budget)})
        found[budget] = float(max(abs(g - w).max() for g, w in zip(
            got, outputs(model, groups, centers, budget))))
    return found


@torch.no_grad()
def outputs(model: Recogniser, groups, centers, budget: int) -> List[np.ndarray]:
    """Give what the model itself says: features, class logits and part logits."""
    rebuilt = model.student(torch.tensor(groups), torch.tensor(centers), budget)
    made = rebuilt.summary, model.class_head(rebuilt.summary), model.part_head(rebuilt.tokens)
    return [each.numpy() for each in made]


def validate(model: Recogniser, path, groups, centers, tolerance: float = TOLERANCE) -> None:
    """
    Print how exact an export is, at every budget, on the CPU and on a GPU where there is one.

    :raises RunError: it differs from the model by ``tolerance`` or more.
    """
    offered = onnxruntime.get_available_providers()
    for provider in ('CPUExecutionProvider', 'CUDAExecutionProvider'):
        if provider not in offered:
            continue
        for budget, difference in largest_differences(model, path, groups, centers,
                                                      provider).items():
            print(f'{provider[:-len("ExecutionProvider")]}, budget {budget:2}: onnx - torch at '
                  f'most {difference:.1e}')
            if not difference < tolerance:  # NaN is no small difference either
                raise RunError(f'the export differs from the model at budget {budget}')


def opset_of(path) -> int:
    """Read the operator set that an ONNX file needs."""
    return next(o.version for o in onnx.load(str(path)).opset_import if o.domain == '')


def samples(data, clouds: int = 32) -> Iterator[Dict[str, np.ndarray]]:
    """Give inputs from training data, whole clouds and single views, at every budget."""
    tokens = sets.tokens('modelnet40_train', data)
    rows = np.random.default_rng(0).permutation(len(tokens.labels))
    for i, budget in enumerate(MENU):
        some = np.sort(rows[i * clouds:(i + 1) * clouds])
        yield {'groups': np.asarray(tokens.groups[some], np.float32),
               'centers': np.asarray(tokens.centers[some], np.float32),
               'token_budget': np.array(budget)}


def load_model(config) -> Recogniser:
    """Load the fine-tuned recogniser of a fine-tuning configuration."""
    root = config['data']['root']
    modelnet, parts = sets.read('modelnet40_train', root), sets.read('parts_train', root)
    model = Recogniser(make_student(config), config['teacher']['width'],
                       len(vocabulary.classes(modelnet, parts)), len(parts.part_names),
                       part_hidden=config['heads']['part_hidden'])
    model.load_state_dict(weights(Path(config['output']) / 'last.ckpt', 'model.'))
    return model.eval()


def manifest_of(config, graph: Path, accuracy=None, temperature=1.0) -> dict:
    """Describe the bundle of an ONNX file (keys as in the README, "Model bundle")."""
    root, about = config['data']['root'], config['bundle']
    modelnet, parts = sets.read('modelnet40_train', root), sets.read('parts_train', root)
    names = vocabulary.classes(modelnet, parts)
    sizes = yaml.safe_load(Path(about['class_sizes']).read_text())
    missing = [n for n in names if n not in sizes]
    if missing:
        raise ConfigError(f'{about["class_sizes"]} has no size for {", ".join(missing)}')
    default = {'default': True} if about.get('default') else {}
    return {
        'name': about['name'], 'version': about['version'], **default, 'classes': names,
        'parts': list(parts.part_names), 'part_classes': vocabulary.part_classes(parts),
        'points': robot_tokens.POINTS, 'groups': robot_tokens.GROUPS,
        'neighbours': robot_tokens.NEIGHBOURS, 'up_axis': '+z', 'token_budgets': list(MENU),
        'score_temperature': float(temperature), 'class_sizes': {n: sizes[n] for n in names},
        'mode_classes': about.get('mode_classes', {}),
        'precision': precision_of(config), 'opset': opset_of(graph),
        'sha256': hashlib.sha256(graph.read_bytes()).hexdigest(),
        'training_data': about['training_data'], 'licence': about['licence'],
        'accuracy': accuracy or {}}


def precision_of(config) -> str:
    """Give the precision that a configuration wants its bundle in."""
    precision = config['bundle'].get('precision', PRECISIONS[0])
    if precision not in PRECISIONS:
        raise ConfigError(f'bundle.precision is one of {", ".join(PRECISIONS)}, not {precision!r}')
    return precision


def run(config, resume=False):
    """Write the bundle folder named by ``bundle.output`` and print how exact it is."""
    del resume
    precision, model = precision_of(config), load_model(config)
    if not isinstance(model.student, (Student, RegionStudent)):
        raise ConfigError('a bundle is of a student with supertokens or regions, this one has '
                          f'reduce: {config["student"]["reduce"]}')
    if not model.student.encode:
        raise ConfigError('a student without an encoder (student.encode: false) is the same at '
                          'every budget, a control and no bundle')
    folder = Path(config['bundle']['output'])
    folder.mkdir(parents=True, exist_ok=True)
    val = sets.tokens('modelnet40_val', config['data'])
    groups, centers = np.asarray(val.groups[:16], np.float32), np.asarray(val.centers[:16])
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        graph = Path(scratch) / 'model.onnx'
        write_onnx(model, graph)
        validate(model, graph, groups, centers)
        if precision != PRECISIONS[0]:
            convert(graph, precision, samples(config['data']))
            print(f'in {precision}, of which "evaluate" tells the accuracy:')
            validate(model, graph, groups, centers, tolerance=np.inf)
        manifest = manifest_of(config, graph)
        text = Path(scratch) / 'manifest.yaml'
        text.write_text(yaml.safe_dump(manifest, sort_keys=False))
        os.replace(graph, folder / 'model.onnx')
        os.replace(text, folder / 'manifest.yaml')
    print(f'{folder}: {(folder / "model.onnx").stat().st_size / 1e6:.1f} MB')
