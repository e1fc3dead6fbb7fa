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

"""Folds of few-shot classification: as published, or drawn by seed (Point-JEPA, section 3.10)."""

from pathlib import Path
import pickle
from typing import Tuple

import numpy as np

from training.data.samples import collect
from training.data.shapes import DataError, Missing, Shapes

POINTS = 1024  # of a shape


class _Arrays(pickle.Unpickler):
    """Read pickled arrays, lists and numbers; a pickle could otherwise run anything."""

    ALLOWED = {('numpy', 'ndarray'), ('numpy', 'dtype'), ('_codecs', 'encode')} | {
        (f'numpy.{core}.{module}', name) for core in ('core', '_core')
        for module, name in (('multiarray', '_reconstruct'), ('multiarray', 'scalar'),
                             ('numeric', '_frombuffer'))}

    def find_class(self, module, name):
        """Allow what makes up arrays."""
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f'it holds {module}.{name}, which is no array')
        return super().find_class(module, name)


def published(folder, way: int, shot: int, fold: int) -> Tuple[Shapes, Shapes]:
    """
    Read a fold of the published few-shot splits of ModelNet40, y up, labels 0 to way - 1.

    :param folder: that holds ``{way}way_{shot}shot/{fold}.pkl``: a dictionary of ``train`` and
        ``test``, each a list of (points (n, 3 or more), label, anything).
    :return: training and test shapes.
    """
    path = Path(folder) / f'{way}way_{shot}shot' / f'{fold}.pkl'
    if not path.exists():
        raise Missing(f'{path} is missing; fewshot.splits names the folder of the published '
                      'splits, or is empty to draw folds by seed')
    try:
        with path.open('rb') as file:
            found = _Arrays(file).load()
        sides = [[(row[0], int(row[1])) for row in found[side]] for side in ('train', 'test')]
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, IndexError, ValueError,
            AttributeError) as error:
        raise DataError(f'{path} is no few-shot fold: {" ".join(str(error).split())}') from None
    known = sorted({label for _, label in sides[0]})
    names = [str(label) for label in known]

    def shapes(title, rows):
        return collect(f'{path} {title}', [
            (f'{title}[{i}]', known.index(label), lambda points=points: points)
            for i, (points, label) in enumerate(rows) if label in known], names, POINTS)
    return shapes('train', sides[0]), shapes('test', sides[1])


def drawn(train: Shapes, test: Shapes, way: int, shot: int, fold: int, queries: int,
          seed: int) -> Tuple[Shapes, Shapes]:
    """
    Draw a fold by seed: ``way`` classes, ``shot`` training and ``queries`` test shapes of each.

    :raises DataError: too few classes, or too few shapes of them.
    """
    counts = [np.bincount(s.labels, minlength=len(s.class_names)) for s in (train, test)]
    able = np.flatnonzero((counts[0] >= shot) & (counts[1] >= queries))
    if len(able) < way:
        raise DataError(f'{len(able)} classes have {shot} training and {queries} test shapes; '
                        f'{way} are needed')
    rng = np.random.default_rng([seed, way, shot, fold])
    classes = rng.choice(able, way, replace=False)
    names = [train.class_names[c] for c in classes]

    def few(shapes, count):
        rows = [rng.choice(np.flatnonzero(shapes.labels == c), count, replace=False)
                for c in classes]
        return Shapes(shapes.points[np.concatenate(rows)], np.repeat(np.arange(way), count), names)
    return few(train, shot), few(test, queries)
