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
import warnings

from foundry_ros import tokens as robot_tokens
import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
import yaml

from training.config import ConfigError
from training.data import sets, vocabulary
from training.models.backbone import pool
from training.models.regions import RegionStudent
from training.models.student import MENU, Student
from training.tasks.common import weights
from training.tasks.finetune import Recogniser
from training.tasks.distill import make_student

OPSET = 17


class AnyBudget(nn.Module):
    """
    The recogniser with the budget as a tensor, so that it stays an input of the traced graph.

    Slices end at tensors and nothing is scattered; otherwise it is :meth:`Student.forward`.
    """

    def __init__(self, model: Recogniser):
        super().__init__()
        self.model = model

    def forward(self, groups, centers, token_budget):
        """Give features (B, F), class logits (B, classes) and part logits (B, c, parts)."""
        student, dso = self.model.student, self.model.student.supertokens
        tokens, position = student.embed(groups, centers)
        fusable = student.gate(tokens).squeeze(-1).sigmoid()
        seen = tokens + position if student.positions else tokens
        count = tokens.shape[1]
        all_kept = token_budget >= count
        used = torch.minimum(token_budget, torch.tensor(dso.count)) * (~all_kept).long()
        keep = torch.minimum(token_budget, torch.tensor(count)) - used
        slots = fusable.topk(count, dim=1, largest=False).indices[:, :keep]
        mine = (slots[:, None] == torch.arange(count)[None, :, None]).float()
        kept = mine.sum(2)
        fused, back, hidden = self._gather(dso, seen, kept, used)
        own = mine.transpose(1, 2) @ torch.cat([tokens, position], dim=-1)
        own, place = own.chunk(2, dim=-1)
        x = torch.cat([fused, own], dim=1)
        mask = torch.cat([hidden, torch.zeros_like(own[..., 0])], dim=1)[:, None, None]
        x = student.backbone.encoder(
            x, torch.cat([torch.zeros_like(fused), place], dim=1),
            mask if dso.assignment == 'hard' else None)
        back = torch.cat([back * (1 - kept)[..., None], mine], dim=2)
        rebuilt = student.upsample(seen + back @ x)
        features = pool(rebuilt)
        return features, self.model.class_head(features), self.model.part_head(rebuilt)

    @staticmethod
    def _gather(dso, seen, kept, used):
        """Gather into the first ``used`` supertokens; every one is computed, those are kept."""
        scores = dso.key(seen) @ dso.query(dso.supertokens).T / seen.shape[-1] ** 0.5
        scores = scores[:, :, :used]
        fused = (1 - kept)[..., None]
        seeds = dso.supertokens[:used]
        if dso.assignment == 'soft':
            gather, back = (scores - kept[..., None] * 1e4).softmax(1), scores.softmax(2)
            gathered = dso.out(gather.transpose(1, 2) @ dso.value(seen))
            return seeds + gathered, back, torch.zeros_like(gathered[..., 0])
        best = scores.max(dim=2, keepdim=True).values
        back = (scores == best).float()
        back = back * (back.cumsum(2) == 1).float()  # the first of equals, as argmax has it
        taken = back * fused
        size = taken.sum(1)
        mean = taken.transpose(1, 2) @ dso.value(seen) / size.clamp(min=1)[..., None]
        filled = (size > 0).float()
        gathered = filled[..., None] * dso.out(mean) + (1 - filled)[..., None] * seeds
        return gathered, back, (1 - filled) * -1e4


class AnyRegions(nn.Module):
    """A recogniser of regions: its code works with a budget that is a tensor as it is."""

    def __init__(self, model: Recogniser):
        super().__init__()
        self.model = model

    def forward(self, groups, centers, token_budget):
        """Give features (B, F), class logits (B, classes) and part logits (B, c, parts)."""
        rebuilt = self.model.student(groups, centers, token_budget)
        features = rebuilt.summary
        return features, self.model.class_head(features), self.model.part_head(rebuilt.tokens)


def write_onnx(model: Recogniser, path) -> None:
    """Trace the recogniser to ONNX with a dynamic batch and the budget as an input."""
    kind = AnyRegions if isinstance(model.student, RegionStudent) else AnyBudget
    exported = kind(model).eval()
    example = (torch.randn(2, 64, 32, 3) * 0.1, torch.randn(2, 64, 3), torch.tensor(32))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the tracer warns of every shape that it fixes
        torch.onnx.export(
            exported, example, str(path), opset_version=OPSET, dynamo=False,
            input_names=['groups', 'centers', 'token_budget'],
            output_names=['features', 'class_logits', 'part_logits'],
            dynamic_axes={n: {0: 'objects'} for n in
                          ('groups', 'centers', 'features', 'class_logits', 'part_logits')})


def largest_differences(model: Recogniser, path, groups, centers,
                        provider: str = 'CPUExecutionProvider') -> dict:
    """
    Compare ONNX with torch on real samples: {budget: largest absolute difference of any output}.

    :param groups: (B, 64, 32, 3). :param centers: (B, 64, 3).
    :param provider: execution provider of onnxruntime; without TF32 on a GPU.
    :raises ValueError: onnxruntime cannot use the provider.
    """
    options = {'use_tf32': '0'} if provider.startswith('CUDA') else {}
    session = onnxruntime.InferenceSession(str(path), providers=[(provider, options)])
    if session.get_providers()[0] != provider:
        raise ValueError(f'onnxruntime offers {provider} but cannot use it here')
    model.eval()
    found = {}
    for budget in MENU:
        with torch.no_grad():
            rebuilt = model.student(torch.from_numpy(groups), torch.from_numpy(centers), budget)
            features = rebuilt.summary
            wanted = features, model.class_head(features), model.part_head(rebuilt.tokens)
        got = session.run(None, {'groups': groups, 'centers': centers,
                                 'token_budget': np.array(budget)})
        found[budget] = float(max(abs(g - w.numpy()).max() for g, w in zip(got, wanted)))
    return found


def validate(model: Recogniser, path, groups, centers) -> None:
    """
    Print how exact an export is, at every budget, on the CPU and on a GPU where there is one.

    :raises ValueError: it differs from the model by 1e-3 or more.
    """
    offered = onnxruntime.get_available_providers()
    for provider in ('CPUExecutionProvider', 'CUDAExecutionProvider'):
        if provider not in offered:
            continue
        for budget, difference in largest_differences(model, path, groups, centers,
                                                      provider).items():
            print(f'{provider[:-len("ExecutionProvider")]}, budget {budget:2}: onnx - torch at '
                  f'most {difference:.1e}')
            if not difference < 1e-3:  # NaN is no small difference either
                raise ValueError(f'the export differs from the model at budget {budget}')


def opset_of(path) -> int:
    """Read the operator set that an ONNX file needs."""
    return next(o.version for o in onnx.load(str(path)).opset_import if o.domain == '')


def load_model(config) -> Recogniser:
    """Load the fine-tuned recogniser of a fine-tuning configuration."""
    root = config['data']['root']
    modelnet, parts = sets.read('modelnet40_train', root), sets.read('parts_train', root)
    model = Recogniser(make_student(config), config['teacher']['width'],
                       len(vocabulary.classes(modelnet, parts)), len(parts.part_names))
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
        raise ValueError(f'{about["class_sizes"]} has no size for {", ".join(missing)}')
    return {
        'name': about['name'], 'version': about['version'], 'classes': names,
        'parts': list(parts.part_names), 'part_classes': vocabulary.part_classes(parts),
        'points': robot_tokens.POINTS, 'groups': robot_tokens.GROUPS,
        'neighbours': robot_tokens.NEIGHBOURS, 'up_axis': '+z', 'token_budgets': list(MENU),
        'score_temperature': float(temperature), 'class_sizes': {n: sizes[n] for n in names},
        'mode_classes': about.get('mode_classes', {}),
        'opset': opset_of(graph), 'sha256': hashlib.sha256(graph.read_bytes()).hexdigest(),
        'training_data': about['training_data'], 'licence': about['licence'],
        'accuracy': accuracy or {}}


def run(config, resume=False):
    """Write the bundle folder named by ``bundle.output`` and print how exact it is."""
    del resume
    model = load_model(config)
    if not isinstance(model.student, (Student, RegionStudent)):
        raise ConfigError('a bundle is of a student with supertokens or regions, this one has '
                          f'reduce: {config["student"]["reduce"]}')
    folder = Path(config['bundle']['output'])
    folder.mkdir(parents=True, exist_ok=True)
    val = sets.tokens('modelnet40_val', config['data'])
    groups, centers = np.asarray(val.groups[:16], np.float32), np.asarray(val.centers[:16])
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        graph = Path(scratch) / 'model.onnx'
        write_onnx(model, graph)
        validate(model, graph, groups, centers)
        manifest = manifest_of(config, graph)
        text = Path(scratch) / 'manifest.yaml'
        text.write_text(yaml.safe_dump(manifest, sort_keys=False))
        os.replace(graph, folder / 'model.onnx')
        os.replace(text, folder / 'manifest.yaml')
    print(f'{folder}: {(folder / "model.onnx").stat().st_size / 1e6:.1f} MB')
