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

"""Training data: single views, tokens equal to the robot's, batches that can be drawn again."""

from foundry_ros import tokens
import numpy as np
import pytest

pytest.importorskip('torch', reason='the training side needs torch')

from training import metrics  # noqa: E402
from training.data import cache, views  # noqa: E402
from training.data.mixture import Mixture, Source, turned  # noqa: E402
from training.data.shapes import DataError, modelnet40, Shapes  # noqa: E402


def sphere(n=1024, seed=0):
    points = np.random.default_rng(seed).normal(size=(n, 3))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_a_camera_sees_only_the_side_that_faces_it():
    points, camera = sphere(4096), np.array([0.0, 0.0, 2.5])
    seen = points[views.visible_points(points, camera)]
    # The horizon of the unit sphere seen from 2.5 is at z = 1 / 2.5; sparse sampling blurs it.
    assert seen[:, 2].min() > 0.0
    truly = (points[:, 2] > 0.4).sum()
    assert 0.8 * truly < len(seen) < 1.6 * truly


def test_a_flat_cloud_seen_edge_on_hides_nothing():
    flat = np.zeros((50, 3))
    flat[:, 0] = np.linspace(-1, 1, 50)
    assert len(views.visible_points(flat, np.array([2.5, 0, 0]))) == 50


def test_a_single_view_is_seen_from_above_with_noise_along_the_ray():
    for seed in range(5):
        points = sphere(seed=seed).astype(np.float64)
        view, index = views.single_view(points, np.random.default_rng(seed))
        shift = view - points[index]
        assert np.std(np.linalg.norm(shift, axis=1)) < 0.01
        assert 0.002 < np.abs(shift).max() < 0.05
        assert points[index][:, 2].mean() > 0.1  # from 15 to 60 degrees above
        assert len(index) == len(np.unique(index)) >= 0.7 * 0.25 * len(points)


def test_worse_sensors_add_noise_and_hide_blobs_but_never_where_it_is_measured():
    points = sphere(4096).astype(np.float64)

    def spread(hard):
        found = [views.single_view(points, np.random.default_rng(i), hard=hard) for i in range(8)]
        return [np.std(np.linalg.norm(view - points[index], axis=1)) for view, index in found]

    measured, trained = spread(False), spread(True)
    assert np.ptp(measured) < 0.001 < np.ptp(trained)
    assert max(trained) < 5.5 * 0.005
    rng = np.random.default_rng(1)
    towards, index = np.array([1.0, 0, 0]), np.arange(len(points))
    kept = views._behind_blob(points, index, towards, rng)
    hidden = points[np.setdiff1d(index, kept)][:, 1:]
    middle = hidden.mean(axis=0)  # what is hidden lies together in the picture
    reach = np.linalg.norm(hidden - middle, axis=1).max()
    inside = np.linalg.norm(points[kept][:, 1:] - middle, axis=1) < 0.5 * reach
    assert 0.7 * len(index) <= len(kept) < len(index) and not inside.any()


def test_cached_tokens_equal_the_robots_bit_for_bit():
    cloud, _ = cache.one_cloud(sphere(), False, np.random.default_rng(3))
    picked = cloud[tokens.resample(cloud, np.random.default_rng(0))]
    robot = tokens.tokenise([cloud], seed=0)
    training = tokens.group(picked[None])
    assert np.array_equal(robot.groups, training.groups)
    assert np.array_equal(robot.centers, training.centers)


def shapes(n=6, parts=True):
    points = np.stack([sphere(1024, i) * [1, 1, 0.2 + 0.1 * i] for i in range(n)])
    part = (points[..., 2] > 0).astype(np.int64)
    return Shapes(points.astype(np.float32), np.arange(n), [f'c{i}' for i in range(n)],
                  part if parts else None, ['c/low', 'c/high'])


def test_a_token_set_is_made_once_and_anew_only_when_asked_otherwise(tmp_path, capsys):
    first = cache.build(tmp_path / 'set', shapes(), 1, 2, seed=5)
    made = (tmp_path / 'set' / 'groups.npy').stat().st_mtime_ns
    assert first.groups.shape == (18, 64, 32, 3) and len(first) == 18
    assert first.single_view.tolist() == [False, True, True] * 6
    cache.build(tmp_path / 'set', shapes(), 1, 2, seed=5)
    assert (tmp_path / 'set' / 'groups.npy').stat().st_mtime_ns == made
    again = cache.build(tmp_path / 'set', shapes(), 2, 2, seed=5)
    assert len(again) == 24
    told = capsys.readouterr().out.splitlines()  # it takes minutes: not without a word
    assert [line.partition(': ')[2] for line in told] == [
        f'grouping {clouds} clouds of 6 shapes, once' for clouds in (18, 24)]


def test_parts_follow_their_points_through_views_and_groups(tmp_path):
    made = cache.build(tmp_path / 'set', shapes(), 2, 2, seed=5, reach=30.0)
    for i in range(len(made)):
        height = (made.centers[i][made.near[i].astype(int), 2] * made.weight[i]).sum(1)
        low, high = height[made.part[i] == 0].mean(), height[made.part[i] == 1].mean()
        assert high > low + 0.05


def test_a_batch_can_be_drawn_again_and_differs_from_the_next(tmp_path):
    made = cache.build(tmp_path / 'set', shapes(), 1, 2, seed=5)
    sources = [Source(made, 4, labels=np.arange(6)), Source(made, 3, labels=np.arange(6) + 10,
                                                            parts=True)]
    one, same = (Mixture(sources, 5, epoch=2, seed=1)[3] for _ in range(2))
    other = Mixture(sources, 5, epoch=2, seed=1)[4]
    assert np.array_equal(one['groups'], same['groups'])
    assert not np.array_equal(one['groups'], other['groups'])
    assert one['groups'].shape == (7, 64, 32, 3) and one['part'].shape == (3, 1024)
    assert (one['labels'][-3:] >= 10).all() and (one['labels'][:4] < 10).all()


def test_balanced_drawing_evens_out_the_classes(tmp_path):
    few = shapes()
    few.labels[:] = [0, 0, 0, 0, 0, 1]
    made = cache.build(tmp_path / 'set', few, 1, 0, seed=5)
    rare = [np.mean(made.labels[Source(made, 4000, balance=b).draw(np.random.default_rng(0))])
            for b in (0.0, 0.5, 1.0)]
    root = 5 ** 0.5
    assert rare == pytest.approx([1 / 6, 1 / (1 + root), 1 / 2], abs=0.03)
    rows = Source(made, 50, rows=np.array([1, 5]), balance=1.0).draw(np.random.default_rng(0))
    assert set(rows) == {1, 5}


def test_augmented_clouds_stay_in_the_unit_sphere(tmp_path):
    made = cache.build(tmp_path / 'set', shapes(), 1, 0, seed=5)
    batch = turned(Mixture([Source(made, 6)], 1, 0, 0)[0])
    assert str(batch['groups'].dtype) == 'torch.float32' and 'turn' not in batch
    farthest = batch['centers'].norm(dim=-1).amax(1).numpy()
    before = np.linalg.norm(made.centers, axis=-1).max(1)
    np.testing.assert_allclose(farthest, before, rtol=1e-4)


def test_missing_data_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match='--data-root'):
        modelnet40(tmp_path, 'train')


def test_part_iou_counts_an_absent_unpredicted_part_as_right():
    truth, guess = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert metrics.part_iou(guess, truth, [0, 1, 2]) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)


def test_auroc_is_the_chance_of_the_right_order():
    known, unknown = np.array([0.9, 0.8, 0.4]), np.array([0.5, 0.4])
    pairs = np.mean([1.0 * (k > u) + 0.5 * (k == u) for k in known for u in unknown])
    assert metrics.auroc(known, unknown) == pytest.approx(pairs)


def test_temperature_undoes_a_known_overconfidence():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20000, 5))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(5, p=row) for row in p])
    assert metrics.temperature(3 * logits, labels) == pytest.approx(3, rel=0.05)


def test_calibration_error_of_honest_scores_is_small_and_of_boasting_large():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 20000)
    hit = rng.uniform(size=20000) < confidence
    assert metrics.calibration_error(confidence, hit) < 0.02
    assert metrics.calibration_error(np.full(20000, 0.99), hit) > 0.3
