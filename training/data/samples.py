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
Shapes read sample by sample: what is wrong with one is named and that one left out.

Published sets come in tens of thousands of files, and a few of them are cut short or hold NaN.
Such a sample is not fatal, and not silent either.
"""

import logging
from typing import Callable, Iterable, List, Optional, Tuple, Union
import zlib

from foundry_ros import tokens
import numpy as np

from training.data.shapes import DataError, Shapes

Points = Union[np.ndarray, Tuple[np.ndarray, np.ndarray]]
Sample = Tuple[str, int, Callable[[], Points]]

LEAST = 32  # points: a group of neighbours needs as many
NAMED = 5   # corrupt samples that a warning spells out

log = logging.getLogger(__name__)


def checked(points) -> np.ndarray:
    """
    Give the first three columns of ``points`` as (n, 3) float32.

    :raises ValueError: what is wrong with them.
    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] < 3 or points.dtype.kind not in 'fiu':
        raise ValueError(f'{points.dtype} of shape {points.shape} is no point cloud')
    points = points[:, :3].astype(np.float32)
    if len(points) < LEAST:
        raise ValueError(f'{len(points)} points only')
    if not np.isfinite(points).all():
        raise ValueError('not all points are finite')
    if not np.ptp(points, axis=0).any():
        raise ValueError('all points are the same')
    return points


def upright(points: np.ndarray) -> np.ndarray:
    """Turn y up to z up."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def fixed(points: np.ndarray, count: int, name: str) -> np.ndarray:
    """
    Choose ``count`` of the points, always the same ones, repeated at random where there are less.

    :return: (count,) indices in random order, so that any prefix is a fair subsample.
    """
    return tokens.resample(points, np.random.default_rng(zlib.crc32(name.encode())), count)


def collect(title: str, samples: Iterable[Sample], class_names: List[str], count: int,
            part_names: Optional[List[str]] = None, y_up: bool = True) -> Shapes:
    """
    Read samples to shapes of ``count`` points, upright, in the unit sphere.

    :param samples: name, label and what reads it: points (n, 3 or more), with part ids (n,)
        where there are ``part_names``; it raises OSError or ValueError where it cannot.
    :raises DataError: not one of the samples can be read.
    """
    samples = list(samples)
    points = np.empty((len(samples), count, 3), np.float32)
    parts = np.empty((len(samples), count), np.int64) if part_names else None
    labels, corrupt = [], []
    for name, label, read in samples:
        try:
            cloud, part = read() if part_names else (read(), None)
            cloud = checked(cloud)
        except (OSError, ValueError, EOFError) as error:
            corrupt.append(f'{name}: {reason(error)}')
            continue
        index, row = fixed(cloud, count, name), len(labels)
        points[row] = tokens.normalise(upright(cloud) if y_up else cloud)[0][index]
        if part_names:
            parts[row] = part[index]
        labels.append(label)
    warn(title, corrupt, len(samples))
    good = len(labels)
    if not good:
        raise DataError(f'{title}: no sample can be read' + ''.join(f'; {c}' for c in corrupt[:1]))
    return Shapes(points[:good], np.array(labels, np.int64), list(class_names),
                  parts[:good] if part_names else None, part_names, tuple(corrupt))


def warn(title: str, corrupt: List[str], of: int) -> None:
    """Say how many samples were left out and name the first ones."""
    if corrupt:
        more = '; …' if len(corrupt) > NAMED else ''
        log.warning('%s: %d of %d samples left out: %s%s', title, len(corrupt), of,
                    '; '.join(corrupt[:NAMED]), more)


def reason(error: Exception) -> str:
    """Say in one line what was wrong, without the path that the name gives already."""
    if isinstance(error, FileNotFoundError):
        return 'missing'
    return ' '.join(str(getattr(error, 'strerror', None) or error).split())
