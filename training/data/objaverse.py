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
Objaverse's 660,000 point clouds as PointLLM publishes them, and their shards.

Published are ``8192_npy/<id>_8192.npy``, (8192, 6) x y z r g b each, and the list of the objects
that are held out. Objects lie as their authors left them: which way is up is not known.
"""

from functools import partial
import os
from pathlib import Path
from typing import List

import numpy as np

from training.data import shards
from training.data.samples import Sample
from training.data.shapes import Missing, Shapes

POINTS = 8192
TAIL = f'_{POINTS}.npy'


def objaverse(root, split: str) -> Shapes:
    """
    Open the shards of Objaverse; points are read when asked for.

    :param split: ``train`` or ``val``.
    """
    return shards.Shards(Path(root) / 'objaverse' / 'shards', split).shapes()


def samples(root, split: str) -> List[Sample]:
    """List the published files of a split."""
    folder = Path(root) / 'objaverse' / f'{POINTS}_npy'
    held_out = Path(root) / 'objaverse' / 'val_object_ids_3000.txt'
    for path in (folder, held_out):
        if not path.exists():
            raise Missing(f'{path} is missing; check-data says where it is had')
    ids = set(held_out.read_text().split())
    if split == 'train':
        ids = {n[:-len(TAIL)] for n in os.listdir(folder) if n.endswith(TAIL)} - ids
    return [(i, -1, partial(np.load, folder / f'{i}{TAIL}', allow_pickle=False))
            for i in sorted(ids)]
