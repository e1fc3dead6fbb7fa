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
from typing import Dict, List, Union

from filelock import FileLock

from training.data import cache, catalogue, shapes
from training.data.cache import TokenSet
from training.data.mixture import Source
from training.data.shapes import Shapes
from training.data.stream import Stream

REACH = 30.0  # of the hidden point removal wherever something is measured


def read(name: str, root) -> Shapes:
    """Read a set by its name, such as ``modelnet40_train``."""
    if name == 'simulated':
        return shapes.simulated()
    # infomr has no split: its test views are of the same shapes
    entry, split = catalogue.find('infomr' if name == 'infomr_test' else name)
    return entry.read(root, split)


def tokens(name: str, data: Dict, seed: int = 1) -> TokenSet:
    """
    Open the tokens of a set, making them at the first time.

    :param data: of the configuration: ``root``, ``cache`` and ``clouds`` {set: [whole, views]}.
    """
    whole, views = data['clouds'][name]
    measured = name.endswith(('_val', '_test'))
    turn = 'any' if name.startswith('infomr') else 'yaw'  # its up is not consistent
    folder = Path(data['cache']) / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f'{folder}.lock'):  # of several processes one makes them, the others wait
        return cache.build(folder, read(name, data['root']), whole, views, seed,
                           REACH if measured else None, turn)


def sources(data: Dict, seed: int) -> List[Union[Source, Stream]]:
    """
    Open what the batches of ``data.mix`` are made of: cached tokens, streams of what is too large.

    :param data: of the configuration: ``mix`` {set: clouds in a batch} and see :func:`tokens`.
    :param seed: of a stream's order.
    """
    made: List[Union[Source, Stream]] = []
    for name, share in data['mix'].items():
        if share and name != 'simulated' and catalogue.find(name)[0].streamed:
            made.append(Stream(read(name, data['root']).points, share, seed))
        elif share:
            made.append(Source(tokens(name, data), share))
    return made
