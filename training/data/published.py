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
Point cloud sets in the format that their authors (or those who compare with them) publish.

All of them are y up and are turned to z up. ``training/data/catalogue.py`` says where each is had
and where it is put.
"""

from functools import partial
import json
from pathlib import Path
from typing import Dict, Iterator, List

import numpy as np

from training.data.samples import collect, Sample
from training.data.shapes import DataError, Missing, Shapes
from training.data.synsets import SHAPENET55, SHAPENETPART


def shapenet55(root, split: str, count: int = 8192) -> Shapes:
    """
    Read ShapeNet55 as Point-BERT publishes it: a ``.npy`` (8192, 3) a shape, lists as text.

    :param split: ``train`` or ``test``.
    """
    folder = Path(root) / 'ShapeNet55-34'
    names, synsets = _lines(folder / 'ShapeNet-55' / f'{split}.txt'), list(SHAPENET55)

    def samples() -> Iterator[Sample]:
        for name in names:
            synset = name.partition('-')[0]
            label = synsets.index(synset) if synset in SHAPENET55 else -1
            yield name, label, partial(_npy, folder / 'shapenet_pc' / name, label)
    return collect('ShapeNet55', samples(), list(SHAPENET55.values()), count)


def _npy(path, label):
    if label < 0:
        raise ValueError('its synset is none of the 55')
    return np.load(path, allow_pickle=False)


def modelnet40_hdf5(root, split: str, count: int = 2048) -> Shapes:
    """
    Read ModelNet40 as PointNet publishes it: HDF5 files of 2,048 points a shape.

    :param split: ``train`` or ``test``.
    """
    folder = Path(root) / 'modelnet40_ply_hdf5_2048'
    classes = _lines(folder / 'shape_names.txt')
    files = [Path(line).name for line in _lines(folder / f'{split}_files.txt')]

    def samples():
        for name in files:
            yield from _hdf5_rows(folder / name, len(classes))
    return collect('ModelNet40 (hdf5)', samples(), classes, count)


def modelnet40_txt(root, split: str, count: int = 10000) -> Shapes:
    """
    Read ModelNet40 as PointNet++ publishes it: a text of 10,000 points with normals a shape.

    :param split: ``train`` or ``test``.
    """
    folder = Path(root) / 'modelnet40_normal_resampled'
    classes = _lines(folder / 'modelnet40_shape_names.txt')
    ids = _lines(folder / f'modelnet40_{split}.txt')
    kinds = {i: i.rpartition('_')[0] for i in ids}  # night_stand_0001 -> night_stand
    unknown = sorted(set(kinds.values()) - set(classes))
    if unknown:
        raise DataError(f'{folder}: {unknown[0]!r} is not in modelnet40_shape_names.txt')

    def samples():
        for i, kind in kinds.items():
            yield i, classes.index(kind), partial(_text, folder / kind / f'{i}.txt', ',', 6)
    return collect('ModelNet40 (txt)', samples(), classes, count)


SCANOBJECTNN = ['bag', 'bin', 'box', 'cabinet', 'chair', 'desk', 'display', 'door', 'shelf',
                'table', 'bed', 'pillow', 'sink', 'sofa', 'toilet']
SCANOBJECTNN_FILES = {'only': ('main_split_nobg', 'objectdataset'),
                      'bg': ('main_split', 'objectdataset'),
                      'pb': ('main_split', 'objectdataset_augmentedrot_scale75')}


def scanobjectnn(root, split: str, variant: str, count: int = 2048) -> Shapes:
    """
    Read ScanObjectNN: one HDF5 file of 2,048 points a scanned object.

    :param split: ``train`` or ``test``.
    :param variant: ``only`` (OBJ_ONLY), ``bg`` (OBJ_BG, with background) or ``pb`` (PB_T50_RS:
        moved by up to half the box, turned and scaled as well; the hardest).
    """
    folder, stem = SCANOBJECTNN_FILES[variant]
    part = 'training' if split == 'train' else 'test'
    path = Path(root) / 'ScanObjectNN' / folder / f'{part}_{stem}.h5'
    _present(path)
    return collect(f'ScanObjectNN {variant}', _hdf5_rows(path, len(SCANOBJECTNN)), SCANOBJECTNN,
                   count)


def omniobject3d(root, split: str, count: int = 1024) -> Shapes:
    """
    Read OmniObject3D's point clouds: one HDF5 file of ``data`` (n, 1024, 3) a category.

    The split is Foundry's: the last fifth of each class is held out. A class of one object has
    it on both sides, since each side must have one.

    :param split: ``train`` or ``test``.
    """
    folder = Path(root) / 'OmniObject3D' / 'point_clouds' / 'hdf5_files' / '1024'
    files = sorted(_present(folder).glob('*_1024.hdf5'))
    if not files:
        raise Missing(f'{folder} holds no <category>_1024.hdf5')

    def samples():
        for label, path in enumerate(files):
            rows = list(_hdf5_rows(path, None))
            first = max(1, len(rows) * 4 // 5)
            kept = rows[:first] if split == 'train' else rows[min(first, len(rows) - 1):]
            yield from ((name, label, read) for name, _, read in kept)
    return collect('OmniObject3D', samples(), [p.name[:-len('_1024.hdf5')] for p in files], count)


def shapenetpart(root, split: str, count: int = 3072) -> Shapes:
    """
    Read ShapeNetPart with normals: a text of x y z nx ny nz part a shape, split lists as JSON.

    The parts have numbers, no names: ``chair/1`` is the first of the chair's. A shape has up to
    3,000 points or so: all of them are kept, some twice.

    :param split: ``train``, ``val``, ``trainval`` (what the papers train on) or ``test``.
    """
    folder = Path(root) / 'shapenetcore_partanno_segmentation_benchmark_v0_normal'
    wanted = ['train', 'val'] if split == 'trainval' else [split]
    lists = [folder / 'train_test_split' / f'shuffled_{w}_file_list.json' for w in wanted]
    texts = [_present(path).read_bytes() for path in lists]
    try:
        entries = [str(entry) for text in texts for entry in json.loads(text)]
    except ValueError as error:
        raise DataError(f'{lists[0].parent} holds a list that is no JSON: {error}') from None
    synsets, first = list(SHAPENETPART), _first_parts()
    names = [f'{name}/{k + 1}' for name, n in SHAPENETPART.values() for k in range(n)]

    def samples():
        for entry in entries:
            synset, shape = ['', *entry.split('/')][-2:]  # shape_data/02691156/<id>
            label = synsets.index(synset) if synset in SHAPENETPART else -1
            path = folder / synset / f'{shape}.txt'
            yield f'{synset}/{shape}', label, partial(_with_parts, path, synset, first)
    classes = [name for name, _ in SHAPENETPART.values()]
    return collect('ShapeNetPart', samples(), classes, count, names)


def _first_parts() -> Dict[str, int]:
    """Give the first part id of each category: they are numbered through in this order."""
    ends = np.cumsum([n for _, n in SHAPENETPART.values()])
    return {s: int(end - SHAPENETPART[s][1]) for s, end in zip(SHAPENETPART, ends)}


def _with_parts(path, synset, first):
    if synset not in SHAPENETPART:
        raise ValueError('its synset is none of the 16')
    rows = _text(path, None, 7)
    parts = rows[:, 6].astype(np.int64)
    low, high = first[synset], first[synset] + SHAPENETPART[synset][1]
    if parts.min() < low or parts.max() >= high:
        raise ValueError(f'parts {parts.min()} to {parts.max()}; the category has {low} to '
                         f'{high - 1}')
    return rows[:, :3], parts


def _hdf5_rows(path, classes) -> Iterator[Sample]:
    """
    Give the rows of an HDF5 file; one that cannot be opened is one corrupt sample.

    :param classes: their number, None where there are no labels.
    """
    try:
        import h5py
    except ImportError:
        raise DataError(f'{path} needs h5py: pip install h5py') from None
    try:
        with h5py.File(path, 'r') as file:
            points = file['data'][:]
            labels = np.zeros(len(points), int) if classes is None else np.ravel(file['label'][:])
        if len(labels) != len(points):
            raise ValueError(f'{len(labels)} labels of {len(points)} shapes')
    except (OSError, KeyError, ValueError) as error:
        yield path.name, -1, partial(_fail, error)
        return
    for i, label in enumerate(labels.astype(int)):
        good = classes is None or 0 <= label < classes
        read = partial(points.__getitem__, i) if good else partial(
            _fail, f'label {label}; there are {classes} classes')
        yield f'{path.name}[{i}]', int(label), read


def _text(path, delimiter, columns) -> np.ndarray:
    """
    Read a table of numbers.

    :raises ValueError: it is empty or has other columns.
    """
    if path.stat().st_size == 0:
        raise ValueError('empty')
    rows = np.loadtxt(path, np.float32, delimiter=delimiter, ndmin=2)
    if rows.shape[1] != columns:
        raise ValueError(f'{rows.shape[1]} columns instead of {columns}')
    return rows


def _fail(error):
    raise ValueError(str(error))


def _present(path: Path) -> Path:
    if not path.exists():
        raise Missing(f'{path} is missing; check-data says where it is had, --data-root should '
                      'name the folder that holds the sets')
    return path


def _lines(path) -> List[str]:
    try:
        return _present(path).read_text().split()
    except UnicodeDecodeError:
        raise DataError(f'{path} is no text') from None
