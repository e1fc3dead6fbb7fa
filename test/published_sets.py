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

"""Small data sets in the formats that are published, for the tests of what reads them."""

import json

import h5py
import numpy as np

SHELF = np.array([0.5, 1.0, 0.25])  # y up: as tall as twice its width, four times its depth


def cloud(points=300, seed=0):
    """Draw a box that stands on its end, y up, with a heavy foot."""
    points = np.random.default_rng(seed).uniform(-1, 1, (points, 3)) * SHELF
    points[: len(points) // 2, 1] = -1
    return points.astype(np.float32)


def clouds(count, points=300):
    return np.stack([cloud(points, i) for i in range(count)])


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def hdf5(path, points, labels=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, 'w') as file:
        file['data'] = points
        if labels is not None:
            file['label'] = labels


def shapenet55(root):
    folder = root / 'ShapeNet55-34'
    names = [f'{synset}-{i:032x}.npy' for i, synset in enumerate(('04554684', '02691156') * 3)]
    write(folder / 'ShapeNet-55/train.txt', '\n'.join(names[:4]) + '\n')
    write(folder / 'ShapeNet-55/test.txt', '\n'.join(names[4:]))
    (folder / 'shapenet_pc').mkdir()
    for i, name in enumerate(names):
        np.save(folder / 'shapenet_pc' / name, cloud(8192, i))
    return folder


def modelnet40_hdf5(root):
    folder = root / 'modelnet40_ply_hdf5_2048'
    write(folder / 'shape_names.txt', 'airplane\nbathtub\nbed\n')
    for split, files in (('train', 2), ('test', 1)):
        lines = [f'data/modelnet40_ply_hdf5_2048/ply_data_{split}{i}.h5' for i in range(files)]
        write(folder / f'{split}_files.txt', '\n'.join(lines))
        for line in lines:
            hdf5(folder / line.split('/')[-1], clouds(3, 2048), np.uint8([[2], [0], [1]]))
    return folder


def modelnet40_txt(root):
    folder = root / 'modelnet40_normal_resampled'
    write(folder / 'modelnet40_shape_names.txt', 'airplane\nnight_stand\n')
    write(folder / 'modelnet40_train.txt', 'airplane_0001\nnight_stand_0001\nnight_stand_0002\n')
    write(folder / 'modelnet40_test.txt', 'airplane_0627\n')
    for i, name in enumerate(('airplane_0001', 'night_stand_0001', 'night_stand_0002',
                              'airplane_0627')):
        path = folder / name.rpartition('_')[0] / f'{name}.txt'
        path.parent.mkdir(exist_ok=True)
        np.savetxt(path, np.hstack([cloud(400, i), cloud(400, i)]), fmt='%.6f', delimiter=',')
    return folder


def scanobjectnn(root):
    folder = root / 'ScanObjectNN'
    for part in ('training', 'test'):
        for i, path in enumerate((f'main_split_nobg/{part}_objectdataset.h5',
                                  f'main_split/{part}_objectdataset.h5',
                                  f'main_split/{part}_objectdataset_augmentedrot_scale75.h5')):
            hdf5(folder / path, clouds(2 + i), np.arange(2 + i))
    return folder


def omniobject3d(root, counts):
    folder = root / 'OmniObject3D/point_clouds/hdf5_files/1024'
    for name, count in counts.items():
        hdf5(folder / f'{name}_1024.hdf5', clouds(count, 1024).astype(np.float64))
    return folder


def shapenetpart(root):
    folder = root / 'shapenetcore_partanno_segmentation_benchmark_v0_normal'
    write(folder / 'synsetoffset2category.txt', 'Airplane\t02691156\nChair\t03001627\n')
    lists = {'train': ['03001627/aaa', '02691156/bbb'], 'val': ['03001627/ccc'],
             'test': ['02691156/ddd']}
    for split, entries in lists.items():
        write(folder / f'train_test_split/shuffled_{split}_file_list.json',
              json.dumps([f'shape_data/{e}' for e in entries]))
        for entry in entries:
            points, first = cloud(500), 12 if entry.startswith('03001627') else 0
            part = first + (points[:, 1] > 0) * 3
            write(folder / f'{entry}.txt', '\n'.join(
                ' '.join(f'{v:.6f}' for v in (*p, 0, 1, 0, k)) for p, k in zip(points, part)))
    return folder
