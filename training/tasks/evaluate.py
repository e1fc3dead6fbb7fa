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
Measure an exported bundle as the robot runs it, and write the figures into its manifest.

Random yaw throughout, five fixed seeds; single views as in ``training/data/views.py``. Only
the temperature is fitted, on validation shapes.
"""

from pathlib import Path
import time
from typing import NamedTuple

from foundry_ros import bundle as bundles
from foundry_ros.student import Student
import numpy as np
import yaml

from training import metrics
from training.data import sets, vocabulary
from training.provenance import commit, machine, used_sets
from training.tasks import scores
from training.tasks.origin import origin_of
from training.written import write_json

RESULTS = Path('training/results')


def softmax(logits, temperature):
    """Score classes (n, classes) at a temperature."""
    scaled = np.exp((logits - logits.max(1, keepdims=True)) / temperature)
    return scaled / scaled.sum(1, keepdims=True)


def predict(student: Student, tokens, budget: int, rows=None, batch: int = 64):
    """Run a token set through: class logits (M, classes), part logits (M, c, parts)."""
    rows = np.arange(len(tokens)) if rows is None else rows
    classes, parts = [], []
    for start in range(0, len(rows), batch):
        r = rows[start:start + batch]
        p = student(np.asarray(tokens.groups[r], np.float32),
                    np.asarray(tokens.centers[r], np.float32), budget)
        classes.append(p.class_logits)
        parts.append(p.part_logits)
    return np.concatenate(classes), np.concatenate(parts)


def classification(student, config, names, budget):
    """Measure overall accuracy on ModelNet40's test shapes, whole and single view."""
    data = config['data']
    tokens = sets.tokens('modelnet40_test', data)
    shapes = sets.read('modelnet40_test', data['root'])
    label = vocabulary.labels(shapes, names)[np.asarray(tokens.labels)]
    logits, _ = predict(student, tokens, budget)
    hit = logits.argmax(1) == label
    among = logits[:, :len(shapes.class_names)].argmax(1) == label
    single = np.asarray(tokens.single_view)
    row = scores.accuracy(hit, single, len(shapes.labels))
    for kind, mask in scores.by_kind(single).items():
        seeds = hit[mask].reshape(len(shapes.labels), -1).mean(0)
        row[kind].update(seeds=[float(s) for s in seeds],
                         among_modelnet40=float(among[mask].mean()))
    return row, logits, hit, single


class PartIous(NamedTuple):
    """Of each of M clouds, as many of every shape, in order."""

    iou: np.ndarray          # (M, 2) with the category predicted and given
    predicted: np.ndarray    # (M,) category
    own: np.ndarray          # (M,) category
    single: np.ndarray       # (M,) bool, true of single views
    shapes: int


def part_ious(student, config, bundle, budget) -> PartIous:
    """Measure part IoU on clouds of the part set's test shapes."""
    data = config['data']
    tokens = sets.tokens('parts_test', data)
    shapes = sets.read('parts_test', data['root'])
    category = np.array([p.split('/')[0] for p in bundle.parts])
    own = np.array([category[p[0]] for p in shapes.parts])[np.asarray(tokens.shape)]
    classes, logits = predict(student, tokens, budget)
    of_class = {c: k for k, cs in bundle.part_classes.items() for c in cs}
    predicted = np.array([of_class.get(bundle.classes[i], '') for i in classes.argmax(1)])
    iou = np.zeros((len(tokens), 2))
    for i in range(len(tokens)):
        at = scores.at_points(logits[i], tokens.near[i], tokens.weight[i])
        for j, given in enumerate((predicted[i], own[i])):
            iou[i, j] = scores.iou(at, np.asarray(tokens.part[i]), category, own[i], given)
    return PartIous(iou, predicted, own, np.asarray(tokens.single_view), len(shapes.labels))


def parts(student, config, bundle, budget):
    """Measure part IoU on the part set's test shapes, category predicted and given."""
    iou, predicted, own, single, shapes = part_ious(student, config, bundle, budget)
    row = {}
    for kind, mask in scores.by_kind(single).items():
        instance, per_category = scores.mean_ious(iou[mask], own[mask])
        per_shape = iou[mask][:, 0].reshape(shapes, -1).mean(1)
        row[kind] = {
            'miou_i': float(instance[0]), 'interval': metrics.interval(per_shape),
            'miou_c': float(per_category[0]), 'miou_i_category_given': float(instance[1]),
            'miou_c_category_given': float(per_category[1]),
            'category_accuracy': float((predicted == own)[mask].mean())}
    return row


def unknowns(student, config, known_scores, single, temperature, budget):
    """Measure how well objects of no class are told from known ones (area under the ROC)."""
    data = config['data']
    infomr = sets.read('infomr', data['root'])
    tokens = sets.tokens('infomr_test', data)
    view, label, row = np.asarray(tokens.single_view), np.asarray(tokens.labels), {}
    never = vocabulary.outlier_labels(infomr, held_out=True)[label] == -2
    seen = vocabulary.outlier_labels(infomr, held_out=False)[label] == -2
    for name, which in (('never_seen', never), ('all', never | seen)):
        rows = np.flatnonzero(which)
        score = softmax(predict(student, tokens, budget, rows)[0], temperature).max(1)
        for kind, mask, other in (('complete', ~single, ~view), ('single_view', single, view)):
            row[f'auroc_{kind}_{name}'] = metrics.auroc(known_scores[mask], score[other[rows]])
    return row


def fit_temperature(student, config, names, budget):
    """Fit the score temperature on the validation shapes, whole and single view together."""
    data = config['data']
    tokens = sets.tokens('modelnet40_val', data)
    label = vocabulary.labels(sets.read('modelnet40_val', data['root']), names)
    logits, _ = predict(student, tokens, budget)
    return metrics.temperature(logits, label[np.asarray(tokens.labels)])


def run(config, resume=False):
    """Measure every budget, print the table, write the manifest and a results file."""
    del resume
    begun = time.time()
    folder = Path(config['bundle']['output'])
    bundle = bundles.load_bundle(folder)
    student = Student(bundle, ['CPUExecutionProvider'], config['bundle']['threads'])
    names, found = list(bundle.classes), {}
    temperature = fit_temperature(student, config, names, 64)
    for budget in bundle.token_budgets:
        row, logits, hit, single = classification(student, config, names, budget)
        sure = softmax(logits, temperature).max(1)
        row['part_miou'] = parts(student, config, bundle, budget)
        row['calibration_error'] = {
            kind: metrics.calibration_error(sure[mask], hit[mask])
            for kind, mask in scores.by_kind(single).items()}
        if budget in (16, 64):
            row['unknown'] = unknowns(student, config, sure, single, temperature, budget)
        found[budget] = row
        print(describe(budget, row), flush=True)
    manifest = dict(bundle.manifest, score_temperature=temperature, accuracy=found)
    text = yaml.safe_dump(manifest, sort_keys=False)
    (folder / 'manifest.yaml.part').write_text(text)
    (folder / 'manifest.yaml.part').replace(folder / 'manifest.yaml')
    results = RESULTS / f'{bundle.name}.json'
    trained = {'distill': config.get('distilled') or '',
               'finetune': Path(config['output']) / 'last.ckpt'}
    write_json(results, {
        'bundle': bundle.name, 'version': bundle.version, 'config': config,
        'trained': {stage: origin_of(path) for stage, path in trained.items()},
        'commit': commit(),
        'machine': machine(), 'sets': used_sets(config['data']),
        'seconds': round(time.time() - begun), 'temperature': temperature, 'accuracy': found})
    print(f'wrote {folder}/manifest.yaml and {results}')


def describe(budget, row) -> str:
    """Put the figures of a budget on a line."""
    p = row['part_miou']['complete']
    return (f'budget {budget:2}: complete {row["complete"]["accuracy"]:.3f} '
            f'± {row["complete"]["interval"]:.3f}, single view '
            f'{row["single_view"]["accuracy"]:.3f} ± {row["single_view"]["interval"]:.3f}, parts '
            f'mIoU_I {p["miou_i"]:.3f} mIoU_C {p["miou_c"]:.3f} (category given '
            f'{p["miou_i_category_given"]:.3f}), calibration error '
            f'{row["calibration_error"]["complete"]:.3f}'
            + (f', unknown AUROC {row["unknown"]["auroc_complete_never_seen"]:.3f}'
               if 'unknown' in row else ''))
