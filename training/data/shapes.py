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

"""The shapes that training knows: every set is read to upright points with labels."""

from dataclasses import dataclass, replace
import logging
from pathlib import Path
from typing import Dict, List, Optional, Tuple
import zipfile

import numpy as np

from training.data import primitives

log = logging.getLogger(__name__)


class DataError(ValueError):
    """Data that is missing or not in its published format."""


class Missing(DataError):
    """Data that is not there at all."""


@dataclass(frozen=True)
class Shapes:
    """
    N shapes of n points each, +z up, in the unit sphere.

    ``points`` (N, n, 3) float32, ``labels`` (N,) int64 into ``class_names``; ``parts`` (N, n)
    int64 into ``part_names`` (``category/part``) where the set has parts. ``corrupt`` says of
    each sample that was left out which one and why.
    """

    points: np.ndarray
    labels: np.ndarray
    class_names: List[str]
    parts: Optional[np.ndarray] = None
    part_names: Optional[List[str]] = None
    corrupt: Tuple[str, ...] = ()

    def take(self, index) -> 'Shapes':
        """Give the shapes at ``index`` only."""
        parts = None if self.parts is None else self.parts[index]
        return Shapes(self.points[index], self.labels[index], self.class_names, parts,
                      self.part_names, self.corrupt)


def _read(root, relative) -> Dict[str, np.ndarray]:
    path = Path(root) / relative
    if not path.exists():
        raise Missing(f'{path} is missing; --data-root should name the folder that holds it')
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f'{path} cannot be read: {" ".join(str(error).split())}') from None


def _sound(name: str, shapes: Shapes) -> Shapes:
    """Leave out, count and name the shapes without extent or with a label that is no class."""
    bad = ~np.ptp(shapes.points, axis=1).any(axis=1)
    bad |= (shapes.labels < 0) | (shapes.labels >= len(shapes.class_names))
    if not bad.any():
        return shapes
    corrupt = tuple(f'{name}[{i}]: no extent or no class' for i in np.flatnonzero(bad))
    log.warning('%s: %d of %d samples left out: %s', name, len(corrupt), len(bad),
                '; '.join(corrupt[:5]))
    return replace(shapes.take(~bad), corrupt=corrupt)


def modelnet40(root, split: str) -> Shapes:
    """
    Read ModelNet40 in its compact form, 1,024 points a shape.

    :param split: ``train`` (the official one less every 20th shape), ``val`` (those), ``test``.
    """
    z = _read(root, f'modelnet40/modelnet40_1024_{"test" if split == "test" else "train"}.npz')
    shapes = Shapes((z['points'] * z['scale']).astype(np.float32), z['labels'].astype(np.int64),
                    [str(n) for n in z['class_names']])
    held_out = np.arange(len(shapes.labels)) % 20 == 7
    if split != 'test':
        shapes = shapes.take(held_out if split == 'val' else ~held_out)
    return _sound(f'modelnet40 {split}', shapes)


def infomr(root) -> Shapes:
    """Read the surface-sampled meshes of 69 classes; which way is up is not known."""
    z = _read(root, 'infomr/infomr_1024.npz')
    return _sound('infomr', Shapes((z['points'] * z['scale']).astype(np.float32),
                                   z['labels'].astype(np.int64),
                                   [str(n) for n in z['class_names']]))


# Words of the part set that name the same thing as a class we have, or that are clipped.
PSB_CLASSES = {'human': 'person', 'fourleg': 'four_legged', 'mech': 'machine_part'}


def labelled_parts(root, split: str) -> Shapes:
    """
    Read the Labelled Princeton Segmentation Benchmark, 4,096 points a shape, turned to z up.

    :param split: ``train`` or ``test``.
    """
    z = _read(root, 'psb_labeled/psb_labeled_4096.npz')
    keep = z['is_test'].astype(bool) == (split == 'test')
    y_up = (z['points'][keep] * z['scale']).astype(np.float32)
    points = np.stack([y_up[..., 0], -y_up[..., 2], y_up[..., 1]], axis=-1)
    categories = [str(n).lower() for n in z['category_names']]
    return _sound(f'parts {split}', Shapes(
        points, z['category'][keep].astype(np.int64), [PSB_CLASSES.get(n, n) for n in categories],
        z['part'][keep].astype(np.int64), [str(n).lower() for n in z['part_names']]))


SIMULATED = {'box': 500, 'can': 350, 'bowl': 150, 'slab': 120}  # shapes of each kind
NAMELESS = {'slab'}  # these are none of the classes


def simulated(points: int = 2048) -> Shapes:
    """Draw plain things that no set has and every table has."""
    names, clouds, labels = list(SIMULATED), [], []
    for label, name in enumerate(names):
        for seed in range(SIMULATED[name]):
            cloud = primitives.MAKERS[name](points, np.random.default_rng([seed, label]))
            cloud = cloud - cloud.mean(axis=0)
            clouds.append(cloud / np.linalg.norm(cloud, axis=1).max())
            labels.append(label)
    return Shapes(np.float32(clouds), np.array(labels), names)
