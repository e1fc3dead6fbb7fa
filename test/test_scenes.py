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

"""Whole scenes as one sequence of tokens: the same centres, neighbours, memory that ends."""

from foundry_ros import bench_scenes, scene_tokens
from foundry_ros.bundle import load_bundle
from mock_bundle import make_bundle
import numpy as np
import pytest

RNG = np.random.default_rng(5)


@pytest.mark.parametrize('n', [33, 100, 1000, 4097, 20000])
def test_each_centre_is_the_point_farthest_from_those_before(n):
    """Whatever the number of points, and so the shape of the buckets."""
    points = RNG.normal(size=(n, 3)).astype(np.float32)
    chosen = scene_tokens.farthest_points(points, max(n // 32, 20))
    assert chosen[0] == 0
    nearest = np.full(n, np.inf)
    for before, after in zip(chosen, chosen[1:]):
        step = points.astype(float) - points[before]
        nearest = np.minimum(nearest, (step * step).sum(axis=1))
        assert nearest[after] >= nearest.max() * (1 - 1e-5)


def test_buckets_hold_every_point_once_and_are_compact():
    """Halves along the widest axis do not overlap on it."""
    points = RNG.normal(size=(1024, 3)).astype(np.float32) * (10, 1, 1)
    index = scene_tokens.buckets(points, 4)
    assert index.shape == (16, 64) and sorted(index.ravel().tolist()) == list(range(1024))
    low, high = points[index[:8].ravel(), 0].max(), points[index[8:].ravel(), 0].min()
    assert low <= high


def test_groups_are_the_nearest_points_of_each_centre():
    """A centre for every 32 points; itself is among its neighbours."""
    points = bench_scenes.scene(1 << 12)
    groups, centers = scene_tokens.tokenise_scene(points)
    assert groups.shape == (1, 128, 32, 3) and groups.dtype == centers.dtype == np.float32
    distance = np.linalg.norm(points[None] - centers[0][:, None], axis=2)
    np.testing.assert_allclose(np.sort(np.linalg.norm(groups[0], axis=2), axis=1),
                               np.sort(distance, axis=1)[:, :32], atol=1e-5)


def test_coinciding_points_are_no_trouble():
    """Nor is a scene that is a single point."""
    groups, centers = scene_tokens.tokenise_scene(np.zeros((256, 3), np.float32))
    assert groups.shape == (1, 8, 32, 3) and not groups.any() and not centers.any()


def test_what_is_measured_and_what_does_not_fit(tmp_path, monkeypatch):
    """Sizes beyond the memory are told as such, and larger ones are not tried."""
    bundle = load_bundle(make_bundle(tmp_path, groups=None))
    asked = []
    real = bench_scenes._in_process

    def spy(path, exponent, *rest):
        asked.append(exponent)
        return real(path, exponent, *rest) if exponent < 12 else None
    monkeypatch.setattr(bench_scenes, '_in_process', spy)
    rows = bench_scenes.run(bundle, exponents=(11, 12, 13), budgets=(16,))['mock, 16 tokens']
    assert asked == [11, 12] and rows['12'] is rows['13'] is None
    assert rows['11']['tokens_s'] > 0 and rows['11']['peak_mb'] > 30
    table = bench_scenes.format_table({'mock, 16 tokens': rows})
    assert table.count('out of memory') == 2 and '2^11' in table


def test_memory_is_limited(tmp_path):
    """A process that needs more than it may use is told from one that fails otherwise."""
    bundle = load_bundle(make_bundle(tmp_path, groups=None))
    limited = bench_scenes.run(bundle, exponents=(14,), budgets=(16,), limit_gb=0.1)
    assert limited == {'mock, 16 tokens': {'14': None}}
