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
"""What following objects is worth: ids that last, and names from many looks instead of one."""

from typing import Any, Dict, Iterable, List

from foundry_ros.config import Params, update
from foundry_ros.names import UNKNOWN
from foundry_ros.pipeline import Frame, Pipeline
from foundry_ros.score import LEAST_OVERLAP, LEAST_POINTS
from foundry_ros.simulate import SEED, Simulation
from foundry_ros.student import Student
import numpy as np

# Clouds of a scene; the camera turns by 24 degrees meanwhile.
CLOUDS = 20
WAYS = {'each cloud alone': {'tracks.enabled': False},
        'followed, every cloud looked at': {'tracks.refresh_s': 0.0},
        'followed': {}, 'followed in a fixed frame': {}}
FIXED = 'followed in a fixed frame'
# Where the ways are compared at the same share of wrong names.
WRONG = (0.03, 0.05, 0.08)


def run(scenes: int, student: Student, params: Params = Params()) -> Dict[str, Dict[str, Any]]:
    """
    Follow things past which a simulated camera moves.

    :param scenes: that are simulated, eight things in each.
    :return: for each way: ``right`` and ``wrong`` names as shares of the things seen, ``flips``
        (names that are others than in the cloud before) and ``switches`` (ids that are) for a
        hundred things seen, ``looks`` of the student a cloud, and ``right_at`` the share of right
        names at the threshold where 3, 5 and 8 % are wrong.
    """
    params = update(params, {'token_budget': student.bundle.token_budgets[-1]})
    ways = {name: update(params, changes) for name, changes in WAYS.items()}
    rows: Dict[str, List] = {name: [] for name in ways}
    looks: Dict[str, List[int]] = {name: [] for name in ways}
    for seed in range(SEED + 1, SEED + 1 + scenes):
        pipelines = {name: Pipeline(each, student) for name, each in ways.items()}
        for cloud, truth in Simulation(frames=CLOUDS, seed=seed):
            for name, pipeline in pipelines.items():
                frame = pipeline.process(cloud, None, truth.pose if name == FIXED else None)
                looks[name].append(frame.looks)
                rows[name] += [(seed, *row) for row in _seen(frame, truth)]
    return {name: {**_summary(rows[name]), 'looks': float(np.mean(looks[name]))}
            for name in ways}


def _seen(frame: Frame, truth) -> Iterable:
    """Give (thing, class, id, label, best label, score) for each thing that is found."""
    size = len(truth.objects)
    for thing, item in enumerate(truth.objects):
        points = int((truth.instance == thing).sum())
        if points < LEAST_POINTS:
            continue
        best, overlap = None, LEAST_OVERLAP
        for found in frame.detections:
            common = np.bincount(truth.instance[found.indices] + 1, minlength=size + 1)[thing + 1]
            share = common / (points + len(found.indices) - common)
            if share >= overlap:
                best, overlap = found, share
        if best is not None:
            favourite = best.alternatives[0][0] if best.alternatives else UNKNOWN
            yield thing, item['class'], best.id, best.label, favourite, best.score


def _summary(rows) -> Dict[str, Any]:
    """Count what :func:`run` tells of a way."""
    last, flips, switches = {}, 0, 0
    for scene, thing, _, track, label, _, _ in rows:
        before = last.get((scene, thing))
        flips += before is not None and before[1] != label
        switches += before is not None and before[0] != track
        last[scene, thing] = track, label
    labels = [(truth, label) for _, _, truth, _, label, _, _ in rows]
    right = np.array([favourite == truth for _, _, truth, _, _, favourite, _ in rows])
    order = np.argsort([-score for *_, score in rows], kind='stable')
    good, bad = np.cumsum(right[order]), np.cumsum(~right[order])
    count = max(len(rows), 1)
    return {'things': len(rows),
            'right': sum(a == b for a, b in labels) / count,
            'wrong': sum(b not in (a, UNKNOWN) for a, b in labels) / count,
            'flips': 100 * flips / count, 'switches': 100 * switches / count,
            'right_at': {str(limit): float(good[bad <= limit * count].max(initial=0)) / count
                         for limit in WRONG}}


def format_table(result: Dict[str, Dict[str, Any]]) -> str:
    """Lay it out for people."""
    at = ''.join(f'{f"at {limit:.0%}":>8}' for limit in WRONG)
    lines = [f'{"":34}{"right":>7}{"wrong":>7}{"flips":>7}{"switches":>10}{"looks":>7}  right '
             f'names where so many are wrong:{at}']
    for name, row in result.items():
        at = ''.join(f'{value:8.1%}' for value in row['right_at'].values())
        lines.append(f'{name:34}{row["right"]:7.1%}{row["wrong"]:7.1%}{row["flips"]:7.1f}'
                     f'{row["switches"]:10.1f}{row["looks"]:7.1f}{"":37}{at}')
    things = max(row['things'] for row in result.values())
    lines.append(f'{things} sightings; flips and switches for a hundred of them')
    return '\n'.join(lines)
