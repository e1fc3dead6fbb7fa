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
Shapes in shards: tar files of ``<name>.npy`` members, the layout of WebDataset, read at random.

Sets too large for memory are packed in some hundred files instead of a file a shape. WebDataset's
own reader goes through a shard from its beginning and does not know where it was; to resume, it
advises to draw with replacement. Here an index of offsets makes any sample one read: batch i of a
run is the same for any number of processes and workers, and after a resume.
"""

from concurrent.futures import ProcessPoolExecutor
import io
import logging
import os
from pathlib import Path
import tarfile
from typing import Dict, List, Sequence

from foundry_ros import tokens
import numpy as np
from tqdm import tqdm

from training.data.samples import checked, fixed, reason, Sample, upright
from training.data.shapes import DataError, Missing, Shapes

FULL = 32767  # of int16, for the radius of the unit sphere: an error of 1.5e-5 of it
EACH = 4096   # shapes in a shard

log = logging.getLogger(__name__)


def write(folder, split: str, samples: Sequence[Sample], count: int, y_up: bool = False,
          each: int = EACH, workers: int = 1) -> List[str]:
    """
    Write shapes of ``count`` points to ``<split>-000000.tar`` and so on; go on where it stopped.

    A shard is written under another name and moved when whole; one that is there is kept.

    :return: the samples that were left out, and why; ``<split>-000000.txt`` keeps them, too.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(folder / f'{split}-{first // each:06}.tar', samples[first:first + each], count, y_up)
            for first in range(0, len(samples), each)]
    missing = [job for job in jobs if not job[0].exists()]
    with ProcessPoolExecutor(workers) as pool:
        list(tqdm(pool.map(_write_shard, missing), f'{split} shards', len(missing), disable=None))
    index = _scan(folder, split)
    part = folder / f'{split}.part.npz'
    np.savez(part, **index)
    part.rename(folder / f'{split}.index.npz')
    return left_out(folder, split)


def left_out(folder, split: str) -> List[str]:
    """Name the samples that were corrupt when the shards were written."""
    notes = sorted(Path(folder).glob(f'{split}-*.txt'))
    return [line for path in notes for line in path.read_text().splitlines()]


def _write_shard(job):
    path, samples, count, y_up = job
    part, corrupt = path.with_suffix('.part'), []
    with tarfile.open(part, 'w') as tar:
        for name, _, read in samples:
            try:
                cloud = checked(read())
            except (OSError, ValueError, EOFError) as error:
                corrupt.append(f'{name}: {reason(error)}')
                continue
            cloud = tokens.normalise(upright(cloud) if y_up else cloud)[0]
            content = io.BytesIO()
            np.save(content, np.round(cloud[fixed(cloud, count, name)] * FULL).astype(np.int16))
            member = tarfile.TarInfo(f'{name}.npy')
            member.size = content.tell()
            content.seek(0)
            tar.addfile(member, content)
    if corrupt:
        path.with_suffix('.txt').write_text('\n'.join(corrupt) + '\n')
    part.rename(path)


def _scan(folder, split) -> Dict[str, np.ndarray]:
    """Find every sample: files and their bytes; shard, offset and size of each sample."""
    paths, found = sorted(Path(folder).glob(f'{split}-*.tar')), []
    if not paths:
        raise Missing(f'{folder} holds no {split}-*.tar; check-data says where they are had')
    for i, path in enumerate(paths):
        try:
            with tarfile.open(path) as tar:
                found += [(i, m.offset_data, m.size) for m in tar if m.name.endswith('.npy')]
        except tarfile.TarError as error:
            raise DataError(f'{path} is no whole shard: {error}') from None
    table = np.array(found, np.int64).reshape(-1, 3)
    return {'files': np.array([p.name for p in paths]),
            'bytes': np.array([p.stat().st_size for p in paths]),
            'shard': table[:, 0], 'offset': table[:, 1], 'size': table[:, 2]}


class Shards:
    """
    The clouds of sharded shapes: ``shards[i]`` (n, 3) float32 in the unit sphere, read when asked.

    Only the index is kept in memory, 24 bytes a shape. A corrupt sample is named once, counted in
    ``corrupt``, and the next one given in its place.

    :raises DataError: no shards, or one that has another size than when the index was made.
    """

    def __init__(self, folder, split: str):
        self.folder = Path(folder)
        index = self.folder / f'{split}.index.npz'
        found = dict(np.load(index)) if index.exists() else _scan(self.folder, split)
        self.files = [self.folder / str(name) for name in found['files']]
        self.shard, self.offset, self.size = (found[k] for k in ('shard', 'offset', 'size'))
        self.corrupt: Dict[str, str] = {}
        self._open: Dict[int, int] = {}
        for path, size in zip(self.files, found['bytes']):
            if not path.exists() or path.stat().st_size != size:
                raise DataError(f'{path} is missing or has another size than in {index.name}; '
                                'get it again, or remove the index if it was made anew')

    def __len__(self):
        return len(self.shard)

    def order(self, rng: np.random.Generator, window: int = 8) -> np.ndarray:
        """
        Give an order of all shapes: shards shuffled, then shapes within each window.

        :param window: shards that are shuffled together: a few, so that disks read on.
        """
        ends = np.searchsorted(self.shard, np.arange(self.shard[-1] + 1), side='right')
        rows = np.split(np.arange(len(self)), ends[:-1])
        mixed = rng.permutation(len(rows))
        windows = [np.concatenate([rows[k] for k in mixed[first:first + window]])
                   for first in range(0, len(mixed), window)]
        return np.concatenate([rng.permutation(w) for w in windows])

    def __getitem__(self, i: int) -> np.ndarray:
        if not 0 <= i < len(self):
            raise IndexError(i)
        for k in range(len(self)):
            j = (int(i) + k) % len(self)
            try:
                return self.read(j)
            except (OSError, ValueError, EOFError) as error:
                name = self.name(j)
                if name not in self.corrupt:
                    self.corrupt[name] = reason(error)
                    log.warning('%s: left out, %s (%d so far in this process)', name,
                                self.corrupt[name], len(self.corrupt))
        raise DataError(f'{self.folder}: no sample can be read')

    def __array__(self, *_, **__):
        raise DataError(f'{self.folder} is read shape by shape: it does not fit into memory')

    def read(self, i: int) -> np.ndarray:
        """
        Read sample i.

        :raises ValueError: what is wrong with it.
        """
        content = self._bytes(i, self.offset[i], self.size[i])
        points = np.load(io.BytesIO(content), allow_pickle=False)
        scale = 1 / FULL if points.dtype == np.int16 else 1
        return checked(points) * np.float32(scale)

    def name(self, i: int) -> str:
        """Name sample i by its shard and member."""
        header = self._bytes(i, self.offset[i] - 512, 100)  # a member's header begins with it
        member = header.split(b'\0')[0].decode(errors='replace')
        return f'{self.files[self.shard[i]].name}/{member}'

    def _bytes(self, i, offset, size):
        shard = int(self.shard[i])
        if shard not in self._open:
            self._open[shard] = os.open(self.files[shard], os.O_RDONLY)
        return os.pread(self._open[shard], int(size), int(offset))  # no position to share

    def __getstate__(self):
        return {**self.__dict__, '_open': {}}

    def __del__(self):
        for descriptor in getattr(self, '_open', {}).values():
            os.close(descriptor)

    def shapes(self) -> Shapes:
        """Give them as a set without labels whose points are read when asked for, one by one."""
        return Shapes(self, np.full(len(self), -1), [])
