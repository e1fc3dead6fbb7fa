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
Shapes to tokens, once: the groups of many clouds of each shape, kept on disk and memory-mapped.

Farthest points and neighbours do not change when a cloud turns about the vertical or is scaled,
so they are found once and the random yaw of training turns the groups themselves.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
import json
from pathlib import Path
import shutil
from typing import Optional

from foundry_ros import tokens
from foundry_ros.cores import usable_cores
import numpy as np
from tqdm import tqdm

from training.data import views
from training.data.shapes import Shapes

RECIPE = 2  # raise it when the clouds come out otherwise for the same arguments
SAMPLES = 2048  # points of a shape that a camera can see, where the set has that many


@dataclass(frozen=True)
class TokenSet:
    """
    The tokens' raw material of M clouds.

    ``groups`` (M, 64, 32, 3) float16, ``centers`` (M, 64, 3) float32, ``labels`` (M,), ``shape``
    (M,) which shape a cloud shows, ``single_view`` (M,) bool; where there are parts:
    ``part`` (M, 1024), ``near`` (M, 1024, 3) and ``weight`` (M, 1024, 3) of the interpolation
    from groups to points.
    """

    groups: np.ndarray
    centers: np.ndarray
    labels: np.ndarray
    shape: np.ndarray
    single_view: np.ndarray
    part: Optional[np.ndarray] = None
    near: Optional[np.ndarray] = None
    weight: Optional[np.ndarray] = None

    def __len__(self):
        return len(self.labels)


def one_cloud(points: np.ndarray, single: bool, rng: np.random.Generator, reach=None,
              turn: str = 'yaw'):
    """
    Make one cloud of a shape as the robot would crop it: turned, seen, centred, scaled.

    :param reach: of the hidden point removal; None for a random one and a worse sensor (training).
    :param turn: ``yaw`` about the vertical, or ``any`` where up is not known.
    :return: (m, 3) float32 normalised points and their indices (m,) into ``points``.
    """
    cloud = points @ _rotation(turn, rng).T
    index = np.arange(len(points))
    if single:
        index = rng.permutation(len(points))[:SAMPLES]
        hard = reach is None
        reach = 10 ** rng.uniform(1.2, 2.2) if hard else reach
        cloud, seen = views.single_view(cloud[index], rng, reach, hard)
        index = index[seen]
    return tokens.normalise(cloud)[0], index


def _rotation(turn, rng):
    if turn == 'any':
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        q *= np.sign(np.diag(r))
        return q * np.linalg.det(q)
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _tokenise_shape(job):
    """Give the arrays of one shape's clouds; runs in a worker process."""
    points, parts, complete, single, seed, reach, turn = job
    rng = np.random.default_rng(seed)
    made = {'groups': [], 'centers': [], 'part': [], 'near': [], 'weight': []}
    for k in range(complete + single):
        cloud, index = one_cloud(points, k >= complete, rng, reach, turn)
        pick = tokens.resample(cloud, rng)
        t = tokens.group(cloud[pick][None])
        made['groups'].append(t.groups[0].astype(np.float16))
        made['centers'].append(t.centers[0])
        if parts is not None:
            near, weight = tokens.interpolation(t.centers[0], t.points[0])
            made['part'].append(parts[index[pick]].astype(np.int16))
            made['near'].append(near.astype(np.uint8))
            made['weight'].append(weight.astype(np.float16))
    return {k: np.stack(v) for k, v in made.items() if v}


def build(folder, shapes: Shapes, complete: int, single: int, seed: int = 0, reach=None,
          turn: str = 'yaw') -> TokenSet:
    """
    Tokenise ``complete`` whole clouds and ``single`` single views of every shape, or open them.

    :param folder: where they are kept; an older one made with other arguments is made anew.
    """
    folder = Path(folder)
    recipe = {'recipe': RECIPE, 'shapes': len(shapes.labels), 'complete': complete,
              'single': single, 'seed': seed, 'reach': reach, 'turn': turn,
              'checksum': float(np.abs(shapes.points).sum())}
    if not _made_with(folder, recipe):
        jobs = [(p, None if shapes.parts is None else shapes.parts[i], complete, single,
                 [seed, i], reach, turn) for i, p in enumerate(shapes.points)]
        print(f'{folder}: grouping {len(jobs) * (complete + single):,} clouds of {len(jobs):,} '
              'shapes, once', flush=True)
        with ProcessPoolExecutor(max(1, int(usable_cores()))) as pool:
            rows = list(tqdm(pool.map(_tokenise_shape, jobs, chunksize=16), 'shapes', len(jobs),
                             disable=None))
        _save(folder, shapes, rows, complete, single, recipe)
    arrays = {p.stem: np.load(p, mmap_mode='r') for p in folder.glob('*.npy')}
    return TokenSet(**arrays)


def _made_with(folder, recipe):
    path = folder / 'recipe.json'
    return path.exists() and json.loads(path.read_text()) == recipe


def _save(folder, shapes, rows, complete, single, recipe):
    """Write to a temporary folder and move it when whole."""
    temporary = folder.with_name(folder.name + '.part')
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    each = complete + single
    for key in rows[0]:
        np.save(temporary / f'{key}.npy', np.concatenate([r[key] for r in rows]))
    np.save(temporary / 'labels.npy', np.repeat(shapes.labels, each))
    np.save(temporary / 'shape.npy', np.repeat(np.arange(len(shapes.labels)), each))
    np.save(temporary / 'single_view.npy',
            np.tile(np.arange(each) >= complete, len(shapes.labels)))
    (temporary / 'recipe.json').write_text(json.dumps(recipe))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
