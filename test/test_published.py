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

"""Published formats: points upright, labels and splits as published, bad samples named."""

import json
import logging
import lzma

from cloud_messages import shared
import numpy as np
import pytest

pytest.importorskip('h5py', reason='the training side needs h5py')

import published_sets as made  # noqa: E402, I100
from training.data import published, sets  # noqa: E402
from training.data.shapes import DataError  # noqa: E402


def standing(shapes):
    """Tell whether all shapes stand on their heavy foot, z up, in the unit sphere."""
    size = np.ptp(shapes.points, axis=1)
    radius = np.linalg.norm(shapes.points, axis=2).max(1)
    np.testing.assert_allclose(radius, 1, rtol=0.02)
    lower = np.quantile(shapes.points[..., 2], 0.3, axis=1)
    np.testing.assert_allclose(lower, shapes.points[..., 2].min(1), atol=1e-3)
    return (size[:, 2] > 1.5 * size[:, 0]).all() and (size[:, 0] > 1.5 * size[:, 1]).all()


def test_shapenet55_has_its_synsets_as_classes_in_both_splits(tmp_path):
    made.shapenet55(tmp_path)
    train, test = (sets.read(f'shapenet55_{s}', tmp_path) for s in ('train', 'test'))
    assert train.points.shape == (4, 8192, 3) and standing(train)
    assert len(train.class_names) == 55
    assert [train.class_names[i] for i in train.labels] == ['washing_machine', 'airplane'] * 2
    assert [test.class_names[i] for i in test.labels] == ['washing_machine', 'airplane']
    assert train.corrupt == ()


def test_modelnet40_hdf5_reads_all_files_of_its_list(tmp_path):
    made.modelnet40_hdf5(tmp_path)
    train = sets.read('modelnet40_hdf5_train', tmp_path)
    assert train.points.shape == (6, 2048, 3) and standing(train)
    assert train.labels.tolist() == [2, 0, 1] * 2
    assert train.class_names == ['airplane', 'bathtub', 'bed']
    assert len(sets.read('modelnet40_hdf5_test', tmp_path).labels) == 3


def test_modelnet40_txt_reads_classes_of_two_words(tmp_path):
    made.modelnet40_txt(tmp_path)
    train = sets.read('modelnet40_txt_train', tmp_path)
    assert train.points.shape == (3, 10000, 3) and standing(train)
    assert [train.class_names[i] for i in train.labels] == ['airplane', 'night_stand',
                                                            'night_stand']


def test_scanobjectnn_tells_its_three_variants_apart(tmp_path):
    made.scanobjectnn(tmp_path)
    for variant, count in (('only', 2), ('bg', 3), ('pb', 4)):
        for split in ('train', 'test'):
            shapes = sets.read(f'scanobjectnn_{variant}_{split}', tmp_path)
            assert shapes.labels.tolist() == list(range(count)) and standing(shapes)
    assert shapes.class_names[4] == 'chair' and len(shapes.class_names) == 15


def test_omniobject3d_holds_out_the_last_fifth_of_each_class(tmp_path):
    made.omniobject3d(tmp_path, {'apple': 11, 'lamp': 2, 'zebra': 1})
    train, test = (sets.read(f'omniobject3d_{s}', tmp_path) for s in ('train', 'test'))
    assert np.bincount(train.labels).tolist() == [8, 1, 1]
    assert np.bincount(test.labels).tolist() == [3, 1, 1]
    assert train.class_names == ['apple', 'lamp', 'zebra'] and standing(train)
    clouds = {p.tobytes() for p in train.points[train.labels < 2]}
    assert not clouds & {p.tobytes() for p in test.points[test.labels < 2]}


def test_shapenetpart_keeps_parts_with_their_points(tmp_path):
    made.shapenetpart(tmp_path)
    train = sets.read('shapenetpart_train', tmp_path)
    assert train.class_names[4] == 'chair' and train.labels.tolist() == [4, 0]
    assert len(train.part_names) == 50 and train.part_names[12] == 'chair/1'
    assert standing(train)
    for points, parts in zip(train.points, train.parts):
        middle = (points[:, 2].max() + points[:, 2].min()) / 2
        np.testing.assert_array_equal(parts % 4 == 3, points[:, 2] > middle)
    assert len(sets.read('shapenetpart_trainval', tmp_path).labels) == 3
    counts = [len(sets.read(f'shapenetpart_{s}', tmp_path).labels) for s in ('val', 'test')]
    assert counts == [1, 1]


def test_shapenetpart_reads_the_real_samples_of_every_category(tmp_path):
    real = np.load(shared('shapenetpart', 'shapenetpart_16_samples.npz'))
    lists = json.loads(lzma.open(shared('shapenetpart', 'split_lists.json.xz')).read())
    synsets = json.loads(shared('shapenetpart', 'synset_to_category.json').read_text())
    first = published._first_parts()
    folder = tmp_path / 'shapenetcore_partanno_segmentation_benchmark_v0_normal'
    entries = [next(e for e in lists['test'] if e.startswith(s)) for s in synsets]
    made.write(folder / 'train_test_split/shuffled_test_file_list.json',
               json.dumps([f'shape_data/{e}' for e in entries]))
    for entry, (synset, name) in zip(entries, synsets.items()):
        points = real[f'{name}_points']
        part = first[synset] + real[f'{name}_part'].astype(float) - 1
        rows = np.hstack([points, np.zeros_like(points), part[:, None]])
        (folder / synset).mkdir()
        np.savetxt(folder / f'{entry}.txt', rows, fmt='%.6f')
    shapes = sets.read('shapenetpart_test', tmp_path)
    assert shapes.corrupt == () and shapes.labels.tolist() == list(range(16))
    mug = shapes.class_names.index('mug')
    assert {shapes.part_names[i] for i in shapes.parts[mug]} == {'mug/1', 'mug/2'}
    car = np.ptp(shapes.points[shapes.class_names.index('car')], axis=0)
    assert car[2] < car[0] and car[2] < car[1]  # lies on its wheels, not on its side


def test_the_same_points_are_kept_whenever_a_set_is_read(tmp_path):
    made.modelnet40_txt(tmp_path)
    one, same = (published.modelnet40_txt(tmp_path, 'train', 128) for _ in range(2))
    assert np.array_equal(one.points, same.points) and one.points.shape == (3, 128, 3)


def spoil_npy(folder):
    """Spoil three of four training shapes, each in another way."""
    names = (folder / 'ShapeNet-55/train.txt').read_text().split()
    paths = [folder / 'shapenet_pc' / n for n in names]
    paths[0].write_bytes(paths[0].read_bytes()[:1000])
    bad = made.cloud(8192)
    bad[5, 1] = np.nan
    np.save(paths[1], bad)
    paths[2].unlink()
    return names


def test_corrupt_samples_are_counted_and_named_and_the_others_kept(tmp_path, caplog):
    names = spoil_npy(made.shapenet55(tmp_path))
    with caplog.at_level(logging.WARNING):
        shapes = sets.read('shapenet55_train', tmp_path)
    assert len(shapes.labels) == len(shapes.points) == 1
    assert standing(shapes) and shapes.class_names[shapes.labels[0]] == 'airplane'
    assert [c.split(':')[0] for c in shapes.corrupt] == names[:3]
    assert shapes.corrupt[1].endswith('not all points are finite')
    assert shapes.corrupt[2].endswith('missing')
    (record,) = caplog.records
    assert '3 of 4 samples left out' in record.getMessage() and names[0] in record.getMessage()
    assert shapes.take([0]).corrupt == shapes.corrupt


@pytest.mark.parametrize('spoil, said', [
    (lambda path: path.write_bytes(path.read_bytes()[:500]), 'ply_data_train0.h5'),
    (lambda path: path.unlink(), 'ply_data_train0.h5'),
    (lambda path: made.hdf5(path, made.clouds(3), np.array([0, 3, 1])), 'label 3'),
    (lambda path: made.hdf5(path, made.clouds(3), np.array([0, 1])), '2 labels of 3'),
    (lambda path: made.hdf5(path, made.clouds(3)), 'label'),
    (lambda path: made.hdf5(path, np.zeros((3, 300, 3)), np.array([0, 1, 1])), 'the same')])
def test_a_spoilt_hdf5_file_does_not_cost_the_others(tmp_path, spoil, said):
    spoil(made.modelnet40_hdf5(tmp_path) / 'ply_data_train0.h5')
    shapes = sets.read('modelnet40_hdf5_train', tmp_path)
    assert 3 <= len(shapes.labels) < 6 and standing(shapes)
    assert said in ' '.join(shapes.corrupt)


def test_spoilt_texts_are_named(tmp_path):
    folder = made.shapenetpart(tmp_path)
    (folder / '03001627/aaa.txt').write_text('1 2 3\n4 5\n')
    made.write(folder / '03001627/ccc.txt', (folder / '02691156/bbb.txt').read_text())
    with pytest.raises(DataError, match='no sample can be read'):
        sets.read('shapenetpart_val', tmp_path)
    shapes = sets.read('shapenetpart_trainval', tmp_path)
    assert shapes.labels.tolist() == [0]
    assert 'aaa' in shapes.corrupt[0] and 'the category has 12 to 15' in shapes.corrupt[1]


@pytest.mark.parametrize('name', ['shapenet55_train', 'modelnet40_hdf5_test', 'parts_test',
                                  'modelnet40_txt_train', 'scanobjectnn_pb_test',
                                  'omniobject3d_train', 'shapenetpart_test', 'infomr'])
def test_a_set_that_is_not_there_is_one_clear_line(tmp_path, name):
    with pytest.raises(DataError, match='missing.*--data-root') as error:
        sets.read(name, tmp_path)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['shapenet56_train', 'modelnet40_hdf5_val', 'modelnet40', ''])
def test_an_unknown_set_or_split_names_the_known_ones(tmp_path, name):
    with pytest.raises(DataError, match='modelnet40_hdf5_{train,test}'):
        sets.read(name, tmp_path)
