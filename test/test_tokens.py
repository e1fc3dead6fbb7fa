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
"""Groups of neighbours around spread-out centres, against plain definitions of them."""

from foundry_ros import tokens
import numpy as np
import pytest

RNG = np.random.default_rng(3)


@pytest.mark.parametrize('n', [40, 1000, 1024, tokens.MOST_PACKED + 4])
def test_nearest_neighbours(n):
    """No other point is nearer than those chosen, beyond rounding; each is there once."""
    points = RNG.normal(size=(2, n, 3)).astype(np.float32)
    points[0, :8] = points[0, 0]  # points may coincide
    starts, distance = tokens.farthest_points(points, 5)
    centers = points[np.arange(2)[:, None], starts]
    index = tokens.least(distance, 32)
    assert index.shape == (2, 5, 32)
    distance = ((points[:, None].astype(float) - centers[:, :, None]) ** 2).sum(axis=-1)
    chosen = np.take_along_axis(distance, index, axis=2)
    bound = np.sort(distance, axis=2)[:, :, 31]
    assert (chosen.max(axis=2) <= bound * 1.002 + 1e-5).all()
    assert all(len(set(row)) == 32 for row in index.reshape(-1, 32).tolist())


def test_farthest_points():
    """Each next centre is the point farthest from those before, the first is point 0."""
    points = RNG.normal(size=(1, 300, 3)).astype(np.float32)
    chosen = tokens.farthest_points(points, 20)[0][0]
    assert chosen[0] == 0
    for k in range(1, 20):
        near = ((points[0][:, None] - points[0][chosen[:k]]) ** 2).sum(axis=-1).min(axis=1)
        assert near[chosen[k]] == pytest.approx(near.max(), rel=1e-5)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_normalise(dtype):
    """Far from the sensor, too: upright, centred, in the unit sphere."""
    up = np.array([0.0, -1.0, 0.0])
    cloud = (RNG.normal(size=(500, 3)) * (0.2, 0.3, 0.1) + (40, 2, -30)).astype(dtype)
    shape, centroid, radius = tokens.normalise(cloud, up)
    assert shape.dtype == np.float32
    np.testing.assert_allclose(centroid, cloud.mean(axis=0, dtype=float), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(shape, axis=1).max(), 1, rtol=1e-5)
    np.testing.assert_allclose(shape[:, 2] * radius, -(cloud[:, 1] - centroid[1]), atol=2e-5)


def test_tokens_do_not_depend_on_company():
    """An object gives the same groups alone and in a batch."""
    clouds = [tokens.normalise(RNG.normal(size=(n, 3)))[0] for n in (50, 3000)]
    both, alone = tokens.tokenise(clouds), tokens.tokenise(clouds[1:])
    np.testing.assert_array_equal(both.groups[1], alone.groups[0])
    np.testing.assert_array_equal(both.centers[1], alone.centers[0])
