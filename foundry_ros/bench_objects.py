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
How well objects are found, and how fast, on labelled frames of an organised depth camera.

``python -m foundry_ros bench --frames FOLDER`` reads ``mosd_depth_label.npz`` (depth in mm,
object instances per pixel) in FOLDER and prints a table by category. The constants of the
segmentation were chosen on the even frames; the odd ones are new to it.
"""

from pathlib import Path
import sys
import time
from typing import Dict, Iterator, List, NamedTuple

from foundry_ros.config import CropParams, ObjectsParams
from foundry_ros.crop import columns, region
from foundry_ros.objects import find_objects
import numpy as np

LEAST_PIXELS = 300


class Sample(NamedTuple):
    """A frame: ``xyz`` (H * W, 3), its true ``objects`` (H, W) int (0 = none), its category."""

    xyz: np.ndarray
    objects: np.ndarray
    category: str


def samples(folder: str) -> Iterator[Sample]:
    """
    Read the labelled frames of a folder, as a camera driver would give them.

    :raises OSError: the file is not there or cannot be read.
    """
    data = np.load(Path(folder) / 'mosd_depth_label.npz')
    depths, labels = data['depth_mm'], data['label']
    fx, fy, cx, cy = data['intrinsics']
    rows, columns = np.indices(depths.shape[1:])
    rays = np.stack([(columns - cx) / fx, (rows - cy) / fy, np.ones(rows.shape)], axis=2)
    for depth, label, category in zip(depths, labels, data['category']):
        metres = np.where(depth > 0, depth / 1000, np.nan)[..., None]
        xyz = (rays * metres).astype(np.float32).reshape(-1, 3)
        objects = np.where((label >= 20) & (depth > 0), label // 10 - 1, 0)
        yield Sample(xyz, objects, str(category))


def overlaps(found: List[np.ndarray], truth: np.ndarray) -> np.ndarray:
    """
    Intersect masks with true objects.

    :param found: pixel indices of each mask.
    :param truth: (H, W) int, 0 = no object.
    :return: (masks, objects + 1) pixels in common; column 0 is no object.
    """
    flat = truth.ravel()
    return np.array([np.bincount(flat[i], minlength=flat.max() + 1) for i in found]
                    ).reshape(len(found), flat.max() + 1)


def score(found: List[np.ndarray], truth: np.ndarray) -> Dict[str, float]:
    """
    Compare masks with true objects.

    :param found: pixel indices of each mask.
    :param truth: (H, W) int, 0 = no object.
    :return: ``true`` objects of at least 300 pixels, how many were ``found`` (best IoU at least
        0.5), the sum of their best ``iou``, ``false`` masks (at least 300 pixels, more than half
        on no object), ``fragments`` (other masks of at least 300 pixels that match nothing).
    """
    common = overlaps(found, truth)
    sizes = np.bincount(truth.ravel(), minlength=common.shape[1])
    masks = common.sum(axis=1)
    iou = common / np.maximum(masks[:, None] + sizes - common, 1)
    iou[:, 0] = 0
    counted = np.flatnonzero(sizes >= LEAST_PIXELS)
    counted = counted[counted > 0]
    best = iou[:, counted].max(axis=0) if len(found) else np.zeros(len(counted))
    large = masks >= LEAST_PIXELS
    false = large & (common[:, 0] > masks / 2)
    fragments = large & ~false & (iou.max(axis=1, initial=0) < 0.5)
    return {'true': len(counted), 'found': int((best >= 0.5).sum()), 'iou': float(best.sum()),
            'false': int(false.sum()), 'fragments': int(fragments.sum())}


def run(data_dir: str, params: ObjectsParams = ObjectsParams(), repeat: int = 3,
        organised: bool = True) -> Dict[str, Dict[str, float]]:
    """
    Segment every labelled frame and measure quality and time.

    :param data_dir: folder of the labelled frames.
    :param repeat: runs of each frame; the fastest counts.
    :param organised: False gives the finite points alone, without the order of the image.
    :return: by category, for even, odd and ``all`` frames: frames, objects, recall, iou, false
        and fragments a frame, ms and cpu_ms (medians over frames of the time that crop and
        segmentation take, and of what the processor spends on it, which is less where other
        programs run).
    """
    rows = []
    for sample in samples(data_dir):
        index = np.arange(len(sample.xyz))
        height, width = sample.objects.shape
        if not organised:
            index = np.flatnonzero(np.isfinite(sample.xyz[:, 2]))
            height, width = 1, len(index)
        found, ms, cpu_ms = _timed(sample.xyz[index], height, width, params, repeat)
        rows.append({'category': sample.category, 'ms': ms, 'cpu_ms': cpu_ms,
                     **score([index[crop.indices] for crop in found], sample.objects)})
    kinds = list(dict.fromkeys(row['category'] for row in rows))
    result = {kind: _summary([r for r in rows if r['category'] == kind]) for kind in kinds}
    result['even frames'] = _summary(rows[::2])
    result['odd frames'] = _summary(rows[1::2])
    result['all'] = _summary(rows)
    return result


def _timed(xyz, height, width, params, repeat):
    """Find the objects of a cloud; also give the shortest times, on the wall and the CPU, ms."""
    times = []
    for _ in range(repeat):
        start = np.array([time.perf_counter(), time.thread_time()])
        points = columns(xyz)
        mask = region(points, CropParams(), params.mode)
        scene = find_objects(points, mask, height, width, params)
        times.append(np.array([time.perf_counter(), time.thread_time()]) - start)
    return scene.objects, *(1e3 * np.min(times, axis=0))


def _summary(rows):
    """Average the rows of some frames."""
    total = {key: sum(r[key] for r in rows)
             for key in ('true', 'found', 'iou', 'false', 'fragments')}
    objects, frames = max(total['true'], 1), max(len(rows), 1)
    return {'frames': len(rows), 'objects': total['true'], 'recall': total['found'] / objects,
            'iou': total['iou'] / objects, 'false': total['false'] / frames,
            'fragments': total['fragments'] / frames,
            **{key: float(np.median([r[key] for r in rows])) if rows else 0.0
               for key in ('ms', 'cpu_ms')}}


def format_table(result: Dict[str, Dict[str, float]]) -> str:
    """Lay the result of :func:`run` out for people."""
    lines = [f'{"category":15}{"frames":>8}{"objects":>9}{"recall":>8}{"IoU":>7}'
             f'{"false":>7}{"fragm.":>8}{"ms":>8}{"CPU ms":>8}']
    for name, row in result.items():
        lines.append(f'{name:15}{row["frames"]:8d}{row["objects"]:9d}{row["recall"]:8.3f}'
                     f'{row["iou"]:7.3f}{row["false"]:7.2f}{row["fragments"]:8.2f}'
                     f'{row["ms"]:8.1f}{row["cpu_ms"]:8.1f}')
    return '\n'.join(lines)


if __name__ == '__main__':
    for ORDERED in (True, False):
        print('image order' if ORDERED else 'finite points alone, without order')
        print(format_table(run(sys.argv[1], organised=ORDERED)), end='\n\n')
