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

"""The token sets of each stage, by name, from the shapes and the cache."""

from pathlib import Path
from typing import Dict

from training.data import cache, shapes
from training.data.cache import TokenSet
from training.data.shapes import DataError, Shapes

REACH = 30.0  # of the hidden point removal wherever something is measured


def read(name: str, root) -> Shapes:
    """Read a set by its name, such as ``modelnet40_train``."""
    kind, _, split = name.rpartition('_')
    if kind == 'modelnet40':
        return shapes.modelnet40(root, split)
    if kind == 'parts':
        return shapes.labelled_parts(root, split)
    if name in ('infomr', 'infomr_test'):  # the test views are of the same shapes
        return shapes.infomr(root)
    if name == 'simulated':
        return shapes.simulated()
    raise DataError(f'there is no set called {name!r}')


def tokens(name: str, data: Dict, seed: int = 1) -> TokenSet:
    """
    Open the tokens of a set, making them at the first time.

    :param data: of the configuration: ``root``, ``cache`` and ``clouds`` {set: [whole, views]}.
    """
    whole, views = data['clouds'][name]
    measured = name.endswith(('_val', '_test'))
    turn = 'any' if name.startswith('infomr') else 'yaw'  # its up is not consistent
    return cache.build(Path(data['cache']) / name, read(name, data['root']), whole, views, seed,
                       REACH if measured else None, turn)
