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

"""How much of a simulation's truth a replay found, named and split into parts."""

from collections import Counter, defaultdict
import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from foundry_ros.camera import Camera
from foundry_ros.names import NO_PART, UNKNOWN
from foundry_ros.results import NODE, PARTS_DTYPE, UNLABELLED
import numpy as np

# As on labelled real frames: smaller things do not count, neither do smaller false objects.
LEAST_POINTS = 300
LEAST_OVERLAP = 0.5


class ScoreError(ValueError):
    """Results and truth that do not belong together."""


def score_frame(objects: Sequence[Mapping[str, Any]], instance: np.ndarray, part: np.ndarray,
                labels: Sequence[str], mask: np.ndarray, found_part: Optional[np.ndarray] = None
                ) -> Tuple[List[Dict[str, Any]], int, int]:
    """
    Compare what was found in one cloud with the truth.

    :param objects: the true ones, as in ``truth.json``: ``class`` and ``parts``.
    :param instance: (N,) index into ``objects`` of each point, -1 = none.
    :param part: (N,) true part, -1 = none; the ids are those of ``found_part``.
    :param labels: names of the objects found.
    :param mask: (N,) index into ``labels``, -1 = none.
    :param found_part: (N,) part found, -1 = none; None where parts are not judged.
    :return: a row for each true object of at least 300 points (``class``, ``overlap`` = the best
        IoU, ``label`` or None where it is below 0.5, ``parts`` = share of points whose part is
        right or None); the number of false objects (of at least 300 points, most of them on no
        object) and of fragments (others of at least 300 points that are no object's match).
    """
    shape = len(objects) + 1, len(labels) + 1
    cell = np.ravel_multi_index((instance % shape[0], mask % shape[1]), shape)  # -1 comes last
    shared = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    true, found = shared.sum(axis=1), shared.sum(axis=0)
    overlap = shared / np.maximum(true[:, None] + found - shared, 1)
    overlap = np.append(overlap[:-1, :-1], np.zeros((len(objects), 1)), axis=1)
    rows = []
    for i, item in enumerate(objects):
        if true[i] < LEAST_POINTS:
            continue
        best = int(overlap[i].argmax())
        row = {'class': item['class'], 'overlap': float(overlap[i, best]), 'label': None,
               'parts': None}
        if row['overlap'] >= LEAST_OVERLAP:
            row['label'] = labels[best]
            judged = (instance == i) & (mask == best) & (part != NO_PART)
            if found_part is not None and row['label'] == item['class'] and judged.any():
                row['parts'] = float(np.mean(found_part[judged] == part[judged]))
        rows.append(row)
    large = found[:-1] >= LEAST_POINTS
    false = large & (shared[-1, :-1] > found[:-1] / 2)
    fragments = large & ~false & (overlap[:, :-1].max(axis=0, initial=0) < LEAST_OVERLAP)
    return rows, int(false.sum()), int(fragments.sum())


def score(truth: Path, results: Path) -> Dict[str, Any]:
    """
    Compare a replay with the simulation that it replayed.

    :param truth: folder of the simulation.
    :param results: folder of the replay, with masks.
    :return: ``clouds``, ``objects`` (rows as of :func:`score_frame`), ``false``, ``fragments``.
    :raises ScoreError: one of them is not there, or they do not belong together.
    """
    truth, results = Path(truth), Path(results)
    known, summary = _json(truth / 'truth.json'), _json(results / 'summary.json')
    by_stamp = {frame['stamp']: frame for frame in known['frames']}
    names, part_names, clouds = read_parts(results / 'detections.mcap')
    # Parts in the numbers of the student; those that it does not know match nothing.
    ids = np.array([part_names.get(name, -2 - i) for i, name in enumerate(known['parts'])] +
                   [NO_PART])
    result: Dict[str, Any] = {'clouds': len(summary['frames']), 'objects': [], 'false': 0,
                              'fragments': 0}
    for number, frame in enumerate(summary['frames']):
        if frame['stamp'] not in by_stamp:
            raise ScoreError(f'{results} is no replay of {truth}: the truth knows no cloud of '
                             f'{frame["stamp"]}')
        item = by_stamp[frame['stamp']]
        masks = np.load(truth / item['mask'])
        mask = np.load(results / 'masks' / f'{number:06d}.npy')
        found_part = _part_image(clouds[frame['stamp']], known['camera'])
        labels = [entry['label'] for entry in frame['objects']]
        rows, false, fragments = score_frame(item['objects'], masks['instance'],
                                             ids[masks['part']], labels, mask, found_part)
        result['objects'] += [{**row, 'known': row['class'] in names} for row in rows]
        result['false'] += false
        result['fragments'] += fragments
    return result


def read_parts(path: Path) -> Tuple[List[str], Dict[str, int], Dict[int, np.ndarray]]:
    """
    Read a ``detections.mcap``.

    :return: the names of the classes, the ids of the parts by name, and for each stamp the
        points of the objects as records of ``PARTS_DTYPE``.
    :raises ScoreError: it cannot be read.
    """
    from rosbags.highlevel import AnyReader
    names: Dict[str, Dict[str, int]] = {}
    clouds = {}
    try:
        with AnyReader([Path(path)]) as reader:
            for connection, _, raw in reader.messages():
                topic = connection.topic.removeprefix(f'/{NODE}/')
                if topic not in ('label_info', 'part_info', 'parts'):
                    continue
                message = reader.deserialize(raw, connection.msgtype)
                if topic == 'parts':
                    stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
                    clouds[stamp] = np.frombuffer(bytes(message.data), PARTS_DTYPE)
                else:
                    names[topic] = {item.class_name: item.class_id for item in message.class_map}
    except Exception as error:  # a parser meets damaged bytes: it may raise anything
        raise ScoreError(f'cannot read {path}: {error}') from None
    return list(names.get('label_info', {})), names.get('part_info', {}), clouds


def _json(path: Path):
    """Read a JSON file."""
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise ScoreError(f'cannot read {path}: {error}') from None


def _part_image(points, camera) -> np.ndarray:
    """Put the points of the objects back to the pixels that they came from; (N,) part ids."""
    camera = Camera(**camera)
    image = np.full(camera.width * camera.height, NO_PART, np.int64)
    xyz = np.stack([points[axis] for axis in 'xyz'], axis=1).astype(float)
    image[camera.pixels(xyz)] = np.where(points['part'] == UNLABELLED, NO_PART, points['part'])
    return image


def totals(rows: Sequence[Mapping[str, Any]]) -> Dict[str, Any]:
    """Count rows: ``seen``, ``found``, ``named``, ``unknown``, ``wrong``; average ``parts``."""
    found = [row for row in rows if row['label'] is not None]
    named = sum(row['label'] == row['class'] for row in found)
    unknown = sum(row['label'] == UNKNOWN for row in found)
    parts = [row['parts'] for row in found if row['parts'] is not None]
    return {'seen': len(rows), 'found': len(found), 'named': named, 'unknown': unknown,
            'wrong': len(found) - named - unknown,
            'parts': float(np.mean(parts)) if parts else None}


def format_score(result: Mapping[str, Any]) -> str:
    """Lay a score out for people."""
    rows = result['objects']
    by_class = defaultdict(list)
    for row in rows:
        by_class[row['class']].append(row)
    lines = [f'{"true class":16}{"seen":>6}{"found":>7}{"named":>7}{"unknown":>9}{"wrong":>7}'
             f'{"parts":>8}  taken for']
    for name, items in sorted(by_class.items()):
        wrong = Counter(row['label'] for row in items
                        if row['label'] not in (None, UNKNOWN, name))
        others = ', '.join(f'{label} {n}' for label, n in wrong.most_common(3))
        lines.append(_line(name, totals(items)) + f'  {others}')
    every = totals(rows)
    lines.append(_line('all', every).rstrip())
    overlaps = [row['overlap'] for row in rows if row['label'] is not None]
    lines += ['', f'Of {every["seen"]} things seen in {result["clouds"]} clouds '
              f'{_share(every["found"], every["seen"])} were found (mean overlap '
              f'{np.mean(overlaps) if overlaps else 0:.2f}); of these '
              f'{_share(every["named"], every["found"])} were named rightly, '
              f'{_share(every["unknown"], every["found"])} called unknown and '
              f'{_share(every["wrong"], every["found"])} named wrongly.']
    if every['parts'] is not None:
        lines.append(f'Of the points of rightly named things with parts {every["parts"]:.0%} got '
                     'the right part.')
    lines.append(f'{result["false"]} false objects and {result["fragments"]} fragments of things '
                 'in all clouds together.')
    strange = sorted({row['class'] for row in rows if not row.get('known', True)})
    if strange:
        lines.append(f'The model does not know {", ".join(strange)}: unknown is right there.')
    return '\n'.join(lines)


def _line(name, counts) -> str:
    parts = '' if counts['parts'] is None else f'{counts["parts"]:.0%}'
    return (f'{name:16}{counts["seen"]:6d}{counts["found"]:7d}{counts["named"]:7d}'
            f'{counts["unknown"]:9d}{counts["wrong"]:7d}{parts:>8}')


def _share(count, whole) -> str:
    return f'{count / max(whole, 1):.0%}'
