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

"""The sets that training knows: what each holds when whole, where it is had, where it is put."""

from dataclasses import dataclass
from functools import partial
from typing import Callable, Dict, Tuple

from training.data import objaverse, published, shapes
from training.data.shapes import DataError, Shapes


@dataclass(frozen=True)
class Entry:
    """
    A set.

    :param folder: below the data root.
    :param files: the layout in it, for people.
    :param source: where it is had.
    :param read: of root and split.
    :param splits: how many shapes each split has when whole.
    :param classes: how many there are.
    :param also: splits made of those.
    :param streamed: whether its points are read when asked for: they do not fit into memory.
    """

    folder: str
    files: str
    source: str
    read: Callable[..., Shapes]
    splits: Dict[str, int]
    classes: int
    also: Tuple[str, ...] = ()
    streamed: bool = False


def _infomr(root, split) -> Shapes:
    del split  # there is but one
    return shapes.infomr(root)


POINT_BERT = 'https://github.com/Julie-tang00/Point-BERT (DATASET.md has the addresses)'
STANFORD = 'https://shapenet.cs.stanford.edu/media'
SCANS = 'https://hkust-vgd.github.io/scanobjectnn (h5_files.zip; its h5_files becomes the folder)'

ENTRIES: Dict[str, Entry] = {
    'modelnet40': Entry(
        'modelnet40', 'modelnet40_1024_{train,test}.npz',
        'made of ModelNet40 (https://modelnet.cs.princeton.edu): points (n, 1024, 3) int16 times '
        'scale, z up; labels (n,); class_names',
        shapes.modelnet40, {'train': 9351, 'val': 492, 'test': 1234}, 40),
    'modelnet40_hdf5': Entry(
        'modelnet40_ply_hdf5_2048', 'ply_data_*.h5, {train,test}_files.txt, shape_names.txt',
        f'{STANFORD}/modelnet40_ply_hdf5_2048.zip', published.modelnet40_hdf5,
        {'train': 9840, 'test': 2468}, 40),
    'modelnet40_txt': Entry(
        'modelnet40_normal_resampled',
        '<class>/<class>_0001.txt, modelnet40_{train,test,shape_names}.txt',
        f'{STANFORD}/modelnet40_normal_resampled.zip', published.modelnet40_txt,
        {'train': 9843, 'test': 2468}, 40),
    'shapenet55': Entry(
        'ShapeNet55-34', 'shapenet_pc/<synset>-<id>.npy, ShapeNet-55/{train,test}.txt',
        POINT_BERT, published.shapenet55, {'train': 41952, 'test': 10518}, 55),
    'shapenetpart': Entry(
        'shapenetcore_partanno_segmentation_benchmark_v0_normal',
        '<synset>/<id>.txt, train_test_split/shuffled_{train,val,test}_file_list.json',
        f'{STANFORD}/shapenetcore_partanno_segmentation_benchmark_v0_normal.zip',
        published.shapenetpart, {'train': 12137, 'val': 1870, 'test': 2874}, 16, ('trainval',)),
    **{f'scanobjectnn_{variant}': Entry(
        'ScanObjectNN', f'{part[0]}/{{training,test}}_{part[1]}.h5', SCANS,
        partial(published.scanobjectnn, variant=variant), splits, 15)
        for (variant, part), splits in zip(published.SCANOBJECTNN_FILES.items(), (
            {'train': 2304, 'test': 581}, {'train': 2304, 'test': 581},
            {'train': 11416, 'test': 2882}))},
    'omniobject3d': Entry(
        'OmniObject3D', 'point_clouds/hdf5_files/1024/<category>_1024.hdf5',
        'https://opendatalab.com/OpenXD-OmniObject3D-New', published.omniobject3d,
        {'train': 4641, 'test': 1270}, 216),
    'objaverse': Entry(
        'objaverse', 'shards/{train,val}-*.tar, made by `python -m training shards` of '
        '8192_npy/<id>_8192.npy and val_object_ids_3000.txt',
        'https://huggingface.co/datasets/RunsenXu/PointLLM (Objaverse_660K_8192_npy_split_a*, '
        'joined and unpacked)', objaverse.objaverse, {'train': 661575, 'val': 3000}, 0,
        streamed=True),
    'parts': Entry(
        'psb_labeled', 'psb_labeled_4096.npz',
        'made of the Labelled Princeton Segmentation Benchmark (https://people.cs.umass.edu/'
        '~kalo/papers/LabelMeshes): points (n, 4096, 3) int16 times scale, y up; part (n, 4096); '
        'category (n,); is_test (n,); category_names; part_names (category/part)',
        shapes.labelled_parts, {'train': 304, 'test': 38}, 19),
    'infomr': Entry(
        'infomr', 'infomr_1024.npz',
        'made of meshes of the Princeton Shape Benchmark (https://shape.cs.princeton.edu/'
        'benchmark) and others: points (n, 1024, 3) int16 times scale; labels (n,); class_names',
        _infomr, {'': 1977}, 69),
}


def find(name: str) -> Tuple[Entry, str]:
    """
    Find a set and the split of it that a name such as ``modelnet40_hdf5_train`` stands for.

    :raises DataError: there is none; the known ones are named.
    """
    words = name.split('_')
    for n in range(len(words), 0, -1):
        entry, split = ENTRIES.get('_'.join(words[:n])), '_'.join(words[n:])
        if entry and split in (*entry.splits, *entry.also):
            return entry, split
    raise DataError(f'there is no set called {name!r}; there are ' + ', '.join(
        f'{key}_{{{",".join((*e.splits, *e.also))}}}' if '' not in e.splits else key
        for key, e in ENTRIES.items()))
