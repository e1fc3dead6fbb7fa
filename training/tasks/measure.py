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
Measure a fine-tuned student in torch: ``python -m training measure --config ...``.

For students that are compared; what robots run is measured by ``evaluate``. Random yaw and
single views as there, some of the same clouds.
"""

import copy
from pathlib import Path
import time
from typing import Dict, Iterator, Optional, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F

from training import metrics
from training.config import ConfigError
from training.data import sets, vocabulary
from training.export import load_model
from training.models.backbone import Backbone, pool
from training.models.reduce import random_groups
from training.models.reduce.interpolation import interpolation
from training.models.reduce.larger_groups import regroup
from training.models.student import Rebuilt
from training.provenance import used_sets
from training.tasks import few_shot_frozen, numerics, scores
from training.tasks.common import backbone_weights, size_of, weights
from training.tasks.distill import make_student
from training.tasks.finetune import begin
from training.written import write_json

BATCH = 64
Budget = Union[int, str]


def batches(tokens, rows: np.ndarray, device='cpu'):
    """Give the rows of each batch with groups (B, c, k, 3) and centers (B, c, 3)."""
    for start in range(0, len(rows), BATCH):
        r = rows[start:start + BATCH]
        yield (slice(start, start + len(r)),
               torch.from_numpy(np.asarray(tokens.groups[r], np.float32)).to(device),
               torch.from_numpy(np.asarray(tokens.centers[r])).to(device))


def where(module) -> torch.device:
    """Give the device that a module computes on."""
    return next(module.parameters()).device


def fewer(student, groups, centers, kind: str, count: int, generator) -> Rebuilt:
    """
    Give a student without a budget fewer groups (Foundry, section B.4); the rest by 3-NN.

    :param kind: ``random``: some of its groups; ``larger``: larger ones of the same points.
    """
    if kind == 'random':
        left = random_groups.draw(groups, centers, count, generator)
    else:
        left = regroup(groups, centers, count, groups.shape[1] * groups.shape[2] // count)
    x = student.backbone(*left)
    return Rebuilt(interpolation(centers, left[1]) @ x, None, None, pool(x))


def look(student, groups, centers, budgets, generator=None) -> Iterator[Tuple[Budget, Rebuilt]]:
    """
    Run clouds at each budget; what no budget touches is computed once.

    :param budgets: numbers of tokens, and ``as trained`` (the gate decides), ``ratio 0.3`` (it
        decides at that r), ``random 16``, ``larger 16``.
    :param generator: of all random draws, which then are others for each cloud.
    """
    embedded = student.embed(groups, centers)
    for budget in budgets:
        kind, _, value = str(budget).rpartition(' ')
        if kind in ('random', 'larger'):
            yield budget, fewer(student, groups, centers, kind, int(value), generator)
        elif kind in ('as', 'ratio'):
            trained, student.ratio = student.ratio, float(value) if kind == 'ratio' else \
                student.ratio
            yield budget, student.rebuild(*embedded, None)
            student.ratio = trained
        else:
            yield budget, student.rebuild(*embedded, budget)


@torch.no_grad()
def classes(model, tokens, label: np.ndarray, budgets, clouds: int) -> Dict[Budget, dict]:
    """
    Give accuracy and interval at each budget, and what share of tokens a gate fused.

    Which clouds were named rightly is kept too, so that runs can be compared shape by shape.

    :param model: a recogniser. :param label: (M,) of all clouds of the set.
    :param clouds: of each shape and kind that are used.
    """
    rows = scores.some(np.asarray(tokens.single_view), np.asarray(tokens.shape), clouds)
    hit = {b: np.zeros(len(rows), bool) for b in budgets}
    fused = {b: np.zeros(len(rows)) for b in budgets}
    generator = torch.Generator().manual_seed(0)
    for part, groups, centers in batches(tokens, rows, where(model)):
        for b, rebuilt in look(model.student, groups, centers, budgets, generator):
            logits = model.class_head(rebuilt.summary)
            hit[b][part] = logits.argmax(1).cpu().numpy() == label[rows[part]]
            if b == 'as trained':
                fused[b][part] = (rebuilt.fusable > model.student.ratio).float().mean(1).cpu()
    shapes, found = len(np.unique(tokens.shape)), {}
    by_kind = scores.by_kind(tokens.single_view[rows])
    for b in budgets:
        found[b] = scores.accuracy(hit[b], tokens.single_view[rows], shapes)
        for kind, mask in by_kind.items():
            found[b][kind]['right'] = scores.packed(hit[b][mask])
        if b == 'as trained':
            found[b]['fused'] = float(fused[b].mean())
    return found


@torch.no_grad()
def parts(model, tokens, own: np.ndarray, category: np.ndarray, budgets, clouds: int
          ) -> Dict[Budget, dict]:
    """
    Give mIoU_I, its interval and mIoU_C, the category given, at each budget.

    :param own: (M,) category of each cloud's shape. :param category: (parts,) of each part.
    """
    rows = scores.some(np.asarray(tokens.single_view), np.asarray(tokens.shape), clouds)
    found = {b: np.zeros(len(rows)) for b in budgets}
    generator = torch.Generator().manual_seed(0)
    for part, groups, centers in batches(tokens, rows, where(model)):
        for b, rebuilt in look(model.student, groups, centers, budgets, generator):
            logits = model.part_head(rebuilt.tokens).cpu().numpy()
            for i, row in enumerate(rows[part]):
                at = scores.at_points(logits[i], tokens.near[row], tokens.weight[row])
                found[b][part.start + i] = scores.iou(at, np.asarray(tokens.part[row]), category,
                                                      own[row], own[row])
    return {b: {kind: ious(iou[mask], own[rows][mask], np.asarray(tokens.shape)[rows][mask])
                for kind, mask in scores.by_kind(np.asarray(tokens.single_view)[rows]).items()}
            for b, iou in found.items()}


def ious(iou: np.ndarray, own: np.ndarray, shape: np.ndarray) -> dict:
    """
    Average IoUs (M,) of clouds, whose categories are ``own`` (M,), with an interval over shapes.

    Those of each shape are kept too, so that runs can be compared shape by shape.
    """
    instance, category = scores.mean_ious(iou, own)
    of_shapes = np.array([iou[shape == s].mean() for s in np.unique(shape)])
    return {'miou_i': float(instance), 'miou_c': float(category),
            'interval': metrics.interval(of_shapes), 'shapes': of_shapes.round(4).tolist()}


def begun(config):
    """Load the student as fine-tuning began with it: distilled, or as the teacher is."""
    student = make_student(config).eval()
    begin(student, config['distilled'])
    return student.to(numerics.device_of(config['trainer']['accelerator']))


@torch.no_grad()
def distillation(config, tokens, budgets) -> Optional[Dict[Budget, float]]:
    """
    Give the mean smooth-L1 between rebuilt and teacher tokens at each budget.

    Of the distilled student, before fine-tuning; None where nothing was distilled.
    """
    if not config['distilled'] or not weights(config['distilled'], 'student.'):
        return None
    student = begun(config)
    teacher = Backbone(size_of(config['teacher'])).eval()
    teacher.load_state_dict(backbone_weights(config['pretrained']))
    teacher.to(where(student))
    total, generator = dict.fromkeys(budgets, 0.0), torch.Generator().manual_seed(0)
    for _, groups, centers in batches(tokens, np.arange(len(tokens)), where(student)):
        wanted = teacher(groups, centers)
        for b, rebuilt in look(student, groups, centers, budgets, generator):
            total[b] += F.smooth_l1_loss(rebuilt.tokens, wanted).item() * len(groups)
    return {b: value / len(tokens) for b, value in total.items()}


def with_own_head(config, model):
    """
    Give a specialist as it was distilled, with the head that learned then, before fine-tuning.

    :return: a recogniser and its task, ``classes`` or ``parts``; None where no head was distilled.
    """
    head = weights(config['distilled'], 'head.') if config['distilled'] else {}
    if not head:
        return None
    task = 'parts' if 'local.weight' in head else 'classes'
    made = copy.deepcopy(model)
    made.student = begun(config)
    (made.part_head if task == 'parts' else made.class_head).load_state_dict(head)
    return made.eval(), task


def counts(model) -> Dict[str, int]:
    """Count the parameters of a recogniser: the student, its heads."""
    def number(*modules):
        return sum(p.numel() for module in modules for p in module.parameters())
    return {'student': number(model.student),
            'heads': number(model.class_head, model.part_head)}


def measure(config) -> dict:
    """Measure at every budget of ``measure.budgets``."""
    data, asked = config['data'], config['measure']
    budgets, root, since = asked['budgets'], data['root'], time.time()
    modelnet, part_set = (sets.read(n, root) for n in ('modelnet40_test', 'parts_test'))
    names = vocabulary.classes(modelnet, sets.read('parts_train', root))
    model = load_model(config).to(numerics.device_of(config['trainer']['accelerator']))
    tokens = sets.tokens('modelnet40_test', data)
    label = vocabulary.labels(modelnet, names)[np.asarray(tokens.labels)]
    found = classes(model, tokens, label, budgets, asked['clouds'])
    specialist, task = with_own_head(config, model) or (None, '')
    if task == 'classes':
        for b, row in classes(specialist, tokens, label, budgets, asked['clouds']).items():
            found[b].update(own_task=row['complete']['accuracy'],
                            own_task_single_view=row['single_view']['accuracy'])
    tokens = sets.tokens('parts_test', data)
    category = np.array([p.split('/')[0] for p in part_set.part_names])
    own = np.array([category[p[0]] for p in part_set.parts])[np.asarray(tokens.shape)]
    of_parts = parts(model, tokens, own, category, budgets, asked['clouds'])
    if task == 'parts':
        for b, row in parts(specialist, tokens, own, category, budgets, asked['clouds']).items():
            found[b].update(own_task=row['complete']['miou_i'],
                            own_task_single_view=row['single_view']['miou_i'])
    losses = distillation(config, sets.tokens('modelnet40_val', data), budgets)
    before = begun(config) if config['distilled'] else model.student
    few = few_shot_frozen.measure(before, data, budgets, look, batches)
    for b in budgets:
        found[b].update(parts=of_parts[b], distillation_loss=losses and losses[b])
        if b in few:
            found[b]['few_shot'] = few[b]
    return {'parameters': counts(model), 'sets': used_sets(data), 'clouds': asked['clouds'],
            'seconds': round(time.time() - since, 1),
            'budgets': {str(b): row for b, row in found.items()}}


def describe(budget, row) -> str:
    """Put the figures of a budget on a line."""
    told = [f'{kind.replace("_", " ")} {row[kind]["accuracy"]:.3f} '
            f'± {row[kind]["interval"]:.3f}' for kind in scores.KINDS]
    told += [f'parts mIoU_I {row["parts"]["complete"]["miou_i"]:.3f} '
             f'mIoU_C {row["parts"]["complete"]["miou_c"]:.3f} (category given)']
    loss = row['distillation_loss']
    return f'budget {budget:>2}: ' + ', '.join(told) + (
        '' if loss is None else f', distillation loss {loss:.4f}')


def run(config, resume=False):
    """Print the figures and write ``measured.json`` into the output folder."""
    del resume
    if 'measure' not in config:
        raise ConfigError('measure is for the configuration of a fine-tuning')
    found = measure(config)
    for budget, row in found['budgets'].items():
        print(describe(budget, row), flush=True)
    path = Path(config['output']) / 'measured.json'
    write_json(path, found)
    print(f'wrote {path}')
