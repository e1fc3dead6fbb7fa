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

"""Which data sets are there and whole, which are missing, and how those are had."""

from pathlib import Path
from typing import List, Tuple

from tqdm import tqdm

from training.data import shards
from training.data.catalogue import ENTRIES, Entry
from training.data.shapes import DataError, Missing

HEAD = ('set', 'split', 'shapes', 'classes', 'corrupt', 'state')
NAMED = 10  # corrupt samples of a split that are spelt out


def checked(name: str, split: str, entry: Entry, root) -> Tuple[List[str], List[str]]:
    """
    Read a split: give its row of the table, and its trouble in sentences.

    Fewer shapes than are published are no trouble where none is corrupt: part of a set is a set.
    """
    published = f'{entry.splits[split]:,}'
    try:
        count, classes, corrupt = measured(entry, split, root)
    except Missing:
        return [name, split, f'0 of {published}', '', '', 'missing'], []
    except DataError as error:
        return [name, split, f'0 of {published}', '', '', 'broken'], [f'{name} {split}: {error}']
    found = f'{count:,}' if count == entry.splits[split] else f'{count:,} of {published}'
    trouble = [f'{name} {split}: {line}' for line in corrupt[:NAMED]]
    if len(corrupt) > NAMED:
        trouble.append(f'{name} {split}: and {len(corrupt) - NAMED} more')
    state = 'broken' if corrupt else 'ok'
    return [name, split, found, str(classes), str(len(corrupt)), state], trouble


def measured(entry: Entry, split: str, root):
    """Read all of a split: how many shapes and classes it has, and what is corrupt."""
    shapes = entry.read(root, split)
    if not entry.streamed:
        return len(shapes.labels), len(set(shapes.labels.tolist())), list(shapes.corrupt)
    clouds = shapes.points
    for i in tqdm(range(len(clouds)), split, disable=None, leave=False):
        clouds[i]
    corrupt = [f'{name}: {why}' for name, why in clouds.corrupt.items()]
    corrupt += [f'{line} (left out)' for line in shards.left_out(clouds.folder, split)]
    return len(clouds) - len(clouds.corrupt), 0, corrupt


def table(rows: List[List[str]]) -> str:
    """Set rows of cells in columns."""
    widths = [max(len(row[i]) for row in [HEAD, *rows]) for i in range(len(HEAD))]
    return '\n'.join('  '.join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip()
                     for row in [HEAD, *rows])


def run(config, resume=False):
    """
    Print what there is below the data root.

    :raises DataError: something that is there is broken.
    """
    del resume
    root = Path(config['data']['root'])
    rows, missing, trouble = [], [], []
    for name, entry in tqdm(ENTRIES.items(), 'sets', disable=None, leave=False):
        found = [checked(name, split, entry, root) for split in entry.splits]
        if all(row[-1] == 'missing' for row, _ in found):
            missing.append(name)
            continue
        rows += [row for row, _ in found]
        trouble += [line for _, lines in found for line in lines]
    print(f'{root}:\n' + (table(rows) if rows else 'no set that is known here'))
    for line in trouble:
        print(f'broken: {line}')
    for name in missing:
        entry = ENTRIES[name]
        print(f'missing: {name}\n  source: {entry.source}\n  folder: {root / entry.folder} with '
              f'{entry.files}')
    if trouble:
        raise DataError(f'{sum(r[-1] == "broken" for r in rows)} of {len(rows)} splits are broken')
