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

"""The region of interest, which way is up, and the voxel grid."""

from foundry_ros.config import ConfigError, CropParams
from foundry_ros.crop import left_out, region, up_vector, voxel_grid
import numpy as np
import pytest

NAN, INF = float('nan'), float('inf')


def cloud(*points):
    """Give points as float32."""
    return np.array(points, np.float32).reshape(-1, 3)


def test_only_finite_points_in_range_are_kept():
    """Neither NaN nor inf nor what is too near or too far stays."""
    xyz = cloud([0, 0, 1], [NAN, 0, 1], [0, INF, 1], [0, 0, -INF], [0, 0, 0.1], [0, 0, 4],
                [1, 1, 1])
    keep = region(xyz, CropParams(min_range=0.2, max_range=3.0))
    assert keep.tolist() == [True, False, False, False, False, False, True]


def test_invalid_returns_at_the_origin_are_dropped_by_default():
    """Many drivers put (0, 0, 0) where there was no return."""
    assert region(cloud([0, 0, 0], [0, 0, 1]), CropParams()).tolist() == [False, True]


def test_range_follows_the_mode_unless_it_is_given():
    """A sweep reaches farther than a table-top camera."""
    xyz = cloud([0, 0, 2], [0, 0, 5], [0, 0, 50], [0, 0, 100])
    assert region(xyz, CropParams(), 'tabletop').sum() == 1
    assert region(xyz, CropParams(), 'room').sum() == 2
    assert region(xyz, CropParams(), 'lidar').sum() == 3
    assert region(xyz, CropParams(max_range=200.0), 'tabletop').sum() == 4


def test_box_of_interest():
    """Each side of the box cuts."""
    xyz = cloud([0, 0, 1], [0.6, 0, 1], [-0.6, 0, 1], [0, 0.6, 1], [0, -0.6, 1], [0, 0, 1.6],
                [0, 0, 0.4])
    params = CropParams(min_x=-0.5, max_x=0.5, min_y=-0.5, max_y=0.5, min_z=0.5, max_z=1.5)
    assert np.flatnonzero(region(xyz, params)).tolist() == [0]


@pytest.mark.parametrize('points, params, mode, line', [
    ([[0, 0, 0], [0, 0, 71], [0, 80, 0]], CropParams(), 'lidar',
     'all 2 points are farther than crop.max_range = 60 m of objects.mode lidar (nearest 71 m)'),
    ([[0, 0, 5]], CropParams(max_range=4.0), 'lidar',
     'all 1 points are farther than crop.max_range = 4 m (nearest 5 m)'),
    ([[0, 0, 0.1], [0, 0, NAN]], CropParams(min_range=0.2), 'tabletop',
     'all 1 points are nearer than crop.min_range = 0.2 m (farthest 0.1 m)'),
    ([[0, 0, 1], [0, 1, 2], [0, 0, 9]], CropParams(max_z=0.5), 'tabletop',
     'the 2 points within range are all outside the box of crop.min_x to crop.max_z (x 0 to 0 m, '
     'y 0 to 1 m, z 1 to 2 m)'),
    ([[0, 0, NAN]], CropParams(), 'tabletop', 'none of its 1 points is finite'),
    ([], CropParams(), 'tabletop', 'it has no points')])
def test_why_nothing_is_left(points, params, mode, line):
    """The limit that cuts everything off is named, with what there is."""
    xyz = cloud(*points)
    assert not region(xyz, params, mode).any()
    assert left_out(xyz, params, mode) == line


def test_region_of_nothing():
    """An empty cloud has an empty region."""
    assert region(cloud(), CropParams()).shape == (0,)


def test_up_is_read_and_normalised():
    """Auto is None; a direction becomes a unit vector."""
    assert up_vector('auto') is None
    assert np.allclose(up_vector('0, -2, 0'), [0, -1, 0])


@pytest.mark.parametrize('text', ['', 'up', '0,1', '0,0,0', '1,2,3,4', '1,nan,0', 'a,b,c'])
def test_up_that_is_no_direction_is_refused(text):
    """The error names the parameter and shows a good value."""
    with pytest.raises(ConfigError, match='crop.up .*"0,-1,0"'):
        up_vector(text)


def test_voxels_average_their_points():
    """Points of one cell become their mean, and know their voxel."""
    xyz = cloud([0.001, 0, 0], [0.003, 0, 0], [0.05, 0.025, 0], [0.002, 0, 0])
    voxels = voxel_grid(xyz, 0.01)
    assert len(voxels.points) == 2
    assert voxels.counts.tolist() == [3, 1]
    assert voxels.inverse.tolist() == [0, 0, 1, 0]
    assert np.allclose(voxels.points, [[0.002, 0, 0], [0.05, 0.025, 0]], atol=1e-6)
    assert voxels.cells[1].tolist() == [4, 2, 0]


def test_voxels_are_at_least_as_far_apart_as_their_cells():
    """Two points in one cell never give two voxels."""
    xyz = np.random.default_rng(0).random((5000, 3), np.float32)
    voxels = voxel_grid(xyz, 0.1)
    assert len(np.unique(voxels.cells, axis=0)) == len(voxels.cells) <= 1000
    means = np.array([xyz[voxels.inverse == k].mean(axis=0) for k in (0, 17)])
    assert np.allclose(voxels.points[[0, 17]], means, atol=1e-5)


def test_voxels_of_a_huge_extent_do_not_overflow():
    """A stray point a million kilometres off costs resolution, not correctness."""
    voxels = voxel_grid(cloud([0, 0, 0], [1e9, 1e9, 1e9], [0.001, 0, 0]), 1e-3)
    assert voxels.inverse.tolist() == [0, 1, 0]


def test_voxels_of_nothing():
    """An empty cloud has no voxels."""
    voxels = voxel_grid(cloud(), 0.01)
    assert voxels.points.shape == (0, 3) and voxels.cells.shape == (0, 3)
