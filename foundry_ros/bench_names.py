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
How well real objects are named: the whole pipeline on labelled frames of a depth camera.

Every frame is taken by itself, without tracks. An object is found if a mask overlaps it by an IoU
of at least 0.5; its name is right, wrong, or ``unknown``. A mask that is no object, or a fragment,
has no true name, so any name is a stray.
"""

from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from foundry_ros import config
from foundry_ros.bench_objects import LEAST_PIXELS, overlaps, samples
from foundry_ros.cloud import Cloud
from foundry_ros.names import UNKNOWN
from foundry_ros.pipeline import Detection, Pipeline
from foundry_ros.plain_yaml import read_yaml, YamlError
from foundry_ros.student import Student
import numpy as np

BUDGETS = (1, 16, 64)
MATCH = 0.5
NO_CLASS = 'of no class'
NO_OBJECT = 'no object'
COMMONEST = 15
HALVES = ('even frames', 'odd frames')

# Frame -> object (number from 0) -> the names that fit it; none if it is of no class.
Names = Mapping[str, Mapping[int, Sequence[str]]]


class NamesError(ValueError):
    """A file of names that cannot be used, in one line."""


class Match(NamedTuple):
    """
    What became of a true object or of a mask.

    ``true`` the names that fit (None: no object), ``given`` the name that it got (None: it was
    not found), ``score`` that of the name, ``frame`` its name, ``object`` the true object's
    number or None.
    """

    true: Optional[Tuple[str, ...]]
    given: Optional[str]
    score: float
    frame: str
    object: Optional[int]  # noqa: A003 what it is

    @property
    def outcome(self) -> str:
        """Tell ``right``, ``wrong``, ``unknown``, ``missed``, ``stray`` or ``unnamed`` stray."""
        if self.true is None:
            return 'unnamed' if self.given == UNKNOWN else 'stray'
        if self.given is None:
            return 'missed'
        if self.given == UNKNOWN:
            return 'unknown'
        return 'right' if self.given in self.true else 'wrong'


def read_names(path: str) -> Names:
    """
    Read which names fit the objects of labelled frames.

    :param path: a YAML file, ``frame: {object: [name, ...], ...}``.
    :raises NamesError: it cannot be read or holds something else.
    """
    try:
        with open(path, encoding='utf-8') as stream:
            tree = read_yaml(stream.read())
    except (OSError, UnicodeDecodeError, YamlError) as error:
        reason = ' '.join(str(error).split())
        raise NamesError(f'cannot read the names in {path}: {reason}') from None
    if not isinstance(tree, dict) or not tree:
        raise NamesError(f'{path} holds no names: it should map frames to objects to names')
    for frame, objects in tree.items():
        good = isinstance(objects, dict) and all(
            isinstance(number, int) and isinstance(names, list)
            and all(isinstance(name, str) for name in names)
            for number, names in objects.items())
        if not good:
            raise NamesError(f'{path}: {frame} should map object numbers to lists of names')
    return tree


def match(detections: Sequence[Detection], truth: np.ndarray, names: Mapping[int, Sequence[str]],
          frame: str = '') -> List[Match]:
    """
    Compare the objects of a frame with the true ones.

    :param detections: as the pipeline gives them, their masks disjoint.
    :param truth: (H, W) int: 0 = no object, k + 1 = object k.
    :param names: object -> the names that fit it.
    :return: one match for each true object of at least 300 pixels, and one for each mask that
        overlaps none of them enough.
    :raises NamesError: an object has no entry in ``names``.
    """
    common = overlaps([d.indices for d in detections], truth)
    sizes = np.bincount(truth.ravel(), minlength=common.shape[1])
    iou = common / np.maximum(common.sum(axis=1, keepdims=True) + sizes - common, 1)
    matches, used = [], set()
    for number in np.flatnonzero(sizes[1:]).tolist():
        if number not in names:
            raise NamesError(f'the names lack object {number} of the frame {frame}')
        mine = np.flatnonzero(iou[:, number + 1] >= MATCH).tolist()
        used.update(mine)
        if sizes[number + 1] >= LEAST_PIXELS:
            label, score = _named(detections[mine[0]]) if mine else (None, 0.0)
            matches.append(Match(tuple(names[number]), label, score, frame, number))
    return matches + [Match(None, *_named(d), frame, None)
                      for i, d in enumerate(detections) if i not in used]


def _named(detection: Detection) -> Tuple[str, float]:
    return detection.label, detection.score


def frames(folder: str) -> Iterator[Tuple[str, str, Cloud, np.ndarray]]:
    """Read the labelled frames of a folder: name, category, cloud, true objects (H, W)."""
    listed = np.load(Path(folder) / 'mosd_depth_label.npz')['names']
    for name, sample in zip(listed, samples(folder)):
        height, width = sample.objects.shape
        yield str(name), sample.category, Cloud(sample.xyz, height, width), sample.objects


def run(folder: str, names: Names, student: Student, params: config.Params = config.Params()
        ) -> Dict[str, Any]:
    """
    Name the objects of every labelled frame, at the budgets 1, 16 and 64.

    :param folder: that of the labelled frames.
    :param names: from :func:`read_names`.
    :return: ``score_threshold`` and ``budgets``: budget -> ``categories`` and ``confusions``, as
        :func:`summary` gives them.
    :raises NamesError: a frame or an object has no entry in ``names``.
    """
    menu = [budget for budget in BUDGETS if budget in student.bundle.token_budgets]
    pipelines = {budget: Pipeline(config.update(
        params, {'token_budget': budget, 'tracks.enabled': False}), student) for budget in menu}
    matches: Dict[int, Dict[str, List[Match]]] = {budget: {} for budget in menu}
    half: Dict[str, str] = {}
    for frame, category, cloud, truth in frames(folder):
        if frame not in names:
            raise NamesError(f'the names lack the frame {frame}')
        half[frame] = HALVES[len(half) % 2]
        for budget, pipeline in pipelines.items():
            detections = pipeline.process(cloud).detections
            matches[budget].setdefault(category, []).extend(
                match(detections, truth, names[frame], frame))
    return {'score_threshold': params.model.score_threshold,
            'budgets': {str(budget): summary(each, half) for budget, each in matches.items()}}


def summary(matches: Mapping[str, List[Match]], half: Mapping[str, str] = MappingProxyType({})
            ) -> Dict[str, Any]:
    """
    Count.

    :param matches: by category.
    :param half: frame -> the half of the frames that it belongs to: what is chosen on the one
        is judged on the other.
    :return: ``categories``: category, half, and ``all``, -> ``objects``, of which ``found``, of
        which named ``right``, ``wrong`` or ``unknown``; ``strays``: names on masks that are no
        object; ``wrong_share``: wrong / found; ``wrong_share_with_strays``: wrong names and
        strays among all masks. ``confusions``: the commonest, each with ``true``, ``given``,
        ``count`` and ``where``, a few of their objects as frame/number.
    """
    every = [each for group in matches.values() for each in group]
    halves = {name: [m for m in every if half.get(m.frame) == name]
              for name in sorted(set(half.values()))}
    categories = {name: _counts(group)
                  for name, group in {**matches, **halves, 'all': every}.items()}
    pairs: Dict[Tuple[str, str], List[Match]] = {}
    for each in every:
        if each.outcome in ('wrong', 'stray'):
            pairs.setdefault((_true_name(each), each.given), []).append(each)
    commonest = sorted(pairs.items(), key=lambda item: -len(item[1]))[:COMMONEST]
    return {'categories': categories, 'confusions': [
        {'true': true, 'given': given, 'count': len(group),
         'where': [f'{m.frame}/{m.object}' if m.object is not None else m.frame
                   for m in group[:8]]} for (true, given), group in commonest]}


def _true_name(each: Match) -> str:
    """Name the truth for people."""
    if each.true is None:
        return NO_OBJECT
    return ' or '.join(each.true) or NO_CLASS


def _counts(matches: List[Match]) -> Dict[str, float]:
    """Count the outcomes of some matches."""
    count = Counter(each.outcome for each in matches)
    found = count['right'] + count['wrong'] + count['unknown']
    masks = found + count['stray'] + count['unnamed']
    return {'objects': found + count['missed'], 'found': found, 'right': count['right'],
            'wrong': count['wrong'], 'unknown': count['unknown'], 'strays': count['stray'],
            'wrong_share': round(count['wrong'] / max(found, 1), 4),
            'wrong_share_with_strays':
                round((count['wrong'] + count['stray']) / max(masks, 1), 4)}


def format_table(result: Mapping[str, Any]) -> str:
    """Lay the result of :func:`run` out for people."""
    lines = []
    for budget, each in result['budgets'].items():
        lines.append(f'{f"{budget} tokens":15}{"objects":>9}{"found":>7}{"right":>7}{"wrong":>7}'
                     f'{"unknown":>9}{"strays":>8}{"wrong/found":>13}{"with strays":>13}')
        for name, row in each['categories'].items():
            lines.append(f'{name:15}{row["objects"]:9d}{row["found"]:7d}{row["right"]:7d}'
                         f'{row["wrong"]:7d}{row["unknown"]:9d}{row["strays"]:8d}'
                         f'{row["wrong_share"]:13.1%}{row["wrong_share_with_strays"]:13.1%}')
        lines += [f'  {c["count"]:3d} x {c["true"]} -> {c["given"]}: {", ".join(c["where"])}'
                  for c in each['confusions']] + ['']
    return '\n'.join(lines[:-1])
