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

"""``bench --growth``: how the time of a frame grows with its objects and with its points."""

from math import sqrt
from typing import Any, Dict

from foundry_ros import bench_frames, config
from foundry_ros.camera import Camera, look_at
from foundry_ros.cloud import Cloud
from foundry_ros.student import Student
import numpy as np

OBJECTS = (1, 4, 8, 16, 32)
EXPONENTS = tuple(range(14, 21))
USUAL = 8              # objects where points grow; a 640 x 480 image where objects do
SPACING = 0.15         # between the middles of boxes, metres
EYE = np.array([-0.9, 0.0, 1.0])


def camera(points: int) -> Camera:
    """Give a camera of the usual field of view with about so many pixels, 4 : 3."""
    scale = sqrt(points / (640 * 480))
    width, height = (max(round(side * scale), 2) for side in (640, 480))
    return Camera(width=width, height=height, fx=525 * scale, fy=525 * scale,
                  cx=(width - 1) / 2, cy=(height - 1) / 2)


def table(objects: int, eye: Camera, seed: int = 0) -> Cloud:
    """
    Look at boxes that stand in rows on a table.

    :param seed: of the noise; the boxes are always the same.
    """
    pose = look_at(EYE, np.zeros(3))
    rays = eye.points(np.ones((eye.height, eye.width))) @ pose[:3, :3].T
    depth = np.where(rays[:, 2] < 0, -EYE[2] / rays[:, 2], np.inf)
    on_table = np.abs(EYE[:2] + depth[:, None] * rays[:, :2]).max(axis=1) < 0.75
    depth[~on_table] = np.nan
    side = int(np.ceil(sqrt(objects)))
    rng = np.random.default_rng(1)
    for i in range(objects):
        x, y = (np.array(divmod(i, side)) - (side - 1) / 2) * SPACING
        size = rng.uniform((0.06, 0.06, 0.05), (0.09, 0.09, 0.12))
        low, high = np.array([x, y, 0]) - size / 2 * (1, 1, 0), [x, y, 0] + size / (2, 2, 1)
        with np.errstate(divide='ignore'):  # a ray along a face never meets it
            near, far = np.sort([(low - EYE) / rays, (high - EYE) / rays], axis=0)
        enters, leaves = near.max(axis=1), far.min(axis=1)
        hit = enters < leaves
        depth[hit] = np.fmin(depth[hit], enters[hit])
    depth += np.random.default_rng(seed).normal(0, 0.001, len(depth))
    return Cloud(eye.points(depth.reshape(eye.height, eye.width)), eye.height, eye.width,
                 'camera', seed * 200_000_000)


def run(student: Student, params: config.Params, clouds: int) -> Dict[str, Any]:
    """
    Time frames of more and more objects, then of more and more points, at 16 tokens.

    :param clouds: of each, after one that does not count.
    :return: ``objects`` and ``points``: how many -> ``found`` objects and what
        :func:`foundry_ros.bench_frames.summary` gives.
    """
    process = bench_frames.Timed(student, params, bench_frames.budgets_of(student)[-2])
    usual = camera(640 * 480)
    return {'objects': {str(n): _row(process, n, usual, clouds) for n in OBJECTS},
            'points': {str(1 << e): _row(process, USUAL, camera(1 << e), clouds)
                       for e in EXPONENTS}}


def _row(process, objects, eye, clouds):
    """Measure one size."""
    frames, times = zip(*(process(bench_frames.message(table(objects, eye, seed)))
                          for seed in range(clouds + 1)))
    return {'found': len(frames[-1].detections), **bench_frames.summary(times[1:])}


def format_table(result: Dict[str, Any]) -> str:
    """Write the result as two tables."""
    lines = ['Growth of a frame: median ms']
    for key, rows in result.items():
        lines += [f'{key:>9}{"found":>7}' + bench_frames.head()]
        lines += [f'{count:>9}{row["found"]:7d}' + bench_frames.line(row)
                  for count, row in rows.items()]
    return '\n'.join(lines)
