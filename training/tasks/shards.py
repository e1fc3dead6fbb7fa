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

"""Objaverse's published files to shards that training reads at random."""

import os
from pathlib import Path

from training.data import objaverse, shards


def run(config, resume=False):
    """Write ``objaverse/shards`` below the data root; shards that are there are kept."""
    del resume
    root = config['data']['root']
    folder = Path(root) / 'objaverse' / 'shards'
    for split in ('val', 'train'):
        found = objaverse.samples(root, split)
        corrupt = shards.write(folder, split, found, objaverse.POINTS, workers=os.cpu_count())
        print(f'{split}: {len(found) - len(corrupt):,} shapes in {folder}, {len(corrupt)} corrupt'
              + ''.join(f'\n  {line}' for line in corrupt[:20]))
