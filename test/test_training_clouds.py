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

"""Whole clouds to batches, folds of few shapes, fewer tokens at inference."""

import pickle

from foundry_ros import tokens as robot_tokens
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

from training.config import ConfigError  # noqa: E402, I100
from training.data import folds  # noqa: E402
from training.data.clouds import Augment, Clouds, grouped  # noqa: E402
from training.data.shapes import DataError, Shapes  # noqa: E402
from training.models import grouping  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.tasks import reduction  # noqa: E402


def shapes(count=20, points=96, classes=4, parts=False, seed=0):
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(count, points, 3)).astype(np.float32)
    cloud[:, 0, 0] = np.arange(count)  # by which a test knows a shape
    part = rng.integers(0, 3, (count, points)) if parts else None
    return Shapes(cloud, np.arange(count) % classes, [f'c{i}' for i in range(classes)], part,
                  ['c0/a', 'c1/b', 'c2/c'] if parts else None)


def batches(part=(0, 1), epoch=0, **options):
    clouds = Clouds(shapes(), 6, epoch, 1, Augment((0.8, 1.2), ('x', 'y'), True), part=part,
                    **options)
    return [clouds[i] for i in range(len(clouds))]


def ids(found):
    return [int(x) for batch in found for x in batch['cloud'][:, 0, 0]]


def test_an_epoch_shows_each_shape_at_most_once_in_an_order_of_its_own():
    first, second = ids(batches()), ids(batches(epoch=1))
    assert len(first) == len(set(first)) == 18  # three batches of six; two shapes wait
    assert first != second
    again = batches()
    assert ids(again) == first
    assert torch.equal(again[1]['turn'], batches()[1]['turn'])


def test_processes_share_out_the_batches_that_one_would_see():
    whole = batches()
    halves = [batches((rank, 2)) for rank in range(2)]
    for step, batch in enumerate(whole):
        mine = [half[step] for half in halves]
        assert sorted(ids([batch])) == sorted(ids(mine))
        assert all(torch.equal(m['turn'], batch['turn']) for m in mine)
    with pytest.raises(DataError, match='does not divide among 4'):
        batches((0, 4))


def test_all_clouds_of_a_batch_are_stretched_alike():
    turn = Augment((0.5, 2.0), ('x',), True).draw(np.random.default_rng(3))
    stretch = np.linalg.norm(turn, axis=0)
    assert (stretch >= 0.5).all() and (stretch <= 2).all() and np.ptp(stretch) > 0
    np.testing.assert_allclose(turn[2, :2], 0, atol=1e-7)  # about the vertical alone
    np.testing.assert_allclose(turn[:2, 2], 0, atol=1e-7)
    np.testing.assert_array_equal(Augment().draw(np.random.default_rng(0)), np.eye(3))


def test_groups_are_those_of_the_robot():
    points = np.random.default_rng(0).normal(size=(2, 200, 3)).astype(np.float32)
    start = torch.zeros(2, dtype=torch.long)
    groups, centers = grouping.group(torch.from_numpy(points), 16, 8, start)
    expected = robot_tokens.group(points, 16, 8)
    np.testing.assert_allclose(centers, expected.centers, atol=1e-6)
    found = np.sort(np.linalg.norm(groups, axis=3), axis=2)
    np.testing.assert_allclose(found, np.sort(np.linalg.norm(expected.groups, axis=3), axis=2),
                               atol=1e-5)


def test_a_batch_is_thinned_turned_and_grouped_with_its_parts():
    clouds = Clouds(shapes(parts=True), 4, 0, 1, Augment((0.5, 2.0), (), True))
    made = grouped(clouds[0], points=64, groups=8, neighbours=16)
    assert made['groups'].shape == (4, 8, 16, 3) and made['part'].shape == (4, 64)
    assert made['points'].shape == (4, 64, 3)
    torch.testing.assert_close(made['points'].norm(dim=2).amax(1), torch.ones(4))
    assert made['points'].mean(1).abs().max() < 1e-5
    assert (made['groups'].norm(dim=3).amin(2) < 1e-6).all()  # a centre is its own neighbour
    drawn = Clouds(shapes(parts=True), 4, 0, 1, Augment(), draw=300)[0]
    assert drawn['cloud'].shape == (4, 300, 3) and drawn['part'].shape == (4, 300)


def test_fewer_groups_at_inference():
    batch = grouped(Clouds(shapes(), 4, 0, 1, Augment())[0], points=96, groups=16, neighbours=8)
    generator = torch.Generator().manual_seed(0)
    few = reduction.reduce_groups(batch, reduction.Variant('random', 3), generator)
    assert few['groups'].shape == (4, 3, 8, 3)
    among = (few['centers'][:, :, None] == batch['centers'][:, None]).all(3).sum(2)
    assert (among == 1).all()
    large = reduction.reduce_groups(batch, reduction.Variant('larger', 4), generator)
    assert large['groups'].shape == (4, 4, 2 * 96 // 4, 3)
    assert reduction.reduce_groups(batch, reduction.Variant(), generator) is batch


def test_a_reduction_that_does_not_fit_the_network_is_refused():
    backbone = Backbone(Size(width=8, depth=1, heads=2, first=(8, 8), second=(8,)))
    asked = {'reduce': {'runs': 1, 'random': [4], 'larger': [], 'budget': []}}
    names = [v.name for v in reduction.variants(backbone, asked)]
    assert names == ['as trained', 'random 4']
    with pytest.raises(ConfigError, match='reduce.budget is for Foundry'):
        reduction.variants(backbone, {'reduce': {'budget': [16]}})


def test_folds_are_drawn_by_seed():
    train, test = shapes(80, classes=8), shapes(40, classes=8, seed=1)
    few, queries = folds.drawn(train, test, 5, 3, 0, 2, seed=1)
    assert np.bincount(few.labels).tolist() == [3] * 5
    assert np.bincount(queries.labels).tolist() == [2] * 5
    assert few.class_names == queries.class_names and len(set(few.class_names)) == 5
    again = folds.drawn(train, test, 5, 3, 0, 2, seed=1)[0]
    np.testing.assert_array_equal(few.points, again.points)
    assert folds.drawn(train, test, 5, 3, 1, 2, seed=1)[0].class_names != few.class_names or \
        not np.array_equal(folds.drawn(train, test, 5, 3, 1, 2, seed=1)[0].points, few.points)
    with pytest.raises(DataError, match='8 classes have 3 training and 2 test shapes; 9'):
        folds.drawn(train, test, 9, 3, 0, 2, seed=1)


def test_published_folds_are_read_upright_and_a_pickle_that_runs_code_is_not(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(rng.normal(size=(1200, 6)).astype(np.float32), np.int64(7 + i % 2), 'x')
            for i in range(4)]
    rows[0][0][:, 1] += 50 * (np.arange(1200) % 2)  # long along y, which is up there
    (tmp_path / '2way_2shot').mkdir()
    path = tmp_path / '2way_2shot/0.pkl'
    path.write_bytes(pickle.dumps({'train': rows, 'test': rows[:2]}))
    train, test = folds.published(tmp_path, 2, 2, 0)
    assert train.labels.tolist() == [0, 1, 0, 1] and test.labels.tolist() == [0, 1]
    assert train.points.shape == (4, 1024, 3)
    assert np.ptp(train.points[0], axis=0).argmax() == 2

    class Evil:

        def __reduce__(self):
            return print, ('run',)
    path.write_bytes(pickle.dumps({'train': Evil(), 'test': []}))
    with pytest.raises(DataError, match='no few-shot fold: it holds builtins.print'):
        folds.published(tmp_path, 2, 2, 0)
    with pytest.raises(DataError, match='2way_2shot/1.pkl is missing'):
        folds.published(tmp_path, 2, 2, 1)
