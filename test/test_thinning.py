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
"""Thinned clouds: the same objects from fewer points, in the whole cloud's indices."""

from foundry_ros.config import Params, update
from foundry_ros.crop import columns, region
from foundry_ros.objects import find_objects
from foundry_ros.simulate import Simulation
from foundry_ros.thinning import most, thin
import numpy as np
import pytest
from table_scene import table_cloud


@pytest.mark.parametrize('step', [1, 2])
def test_the_same_objects(step):
    """Every second row and column gives the same boxes, and nearly the same points of all."""
    params = update(Params(), {'objects.min_points': 400})
    cloud, _ = Simulation(objects=4).shot(0)
    xyz = columns(cloud.xyz)

    def find(step):
        less = thin(xyz, cloud.height, cloud.width, step, params)
        return less, less.restored(find_objects(
            less.xyz, region(less.xyz, params.crop), less.height, less.width,
            less.params.objects), xyz)
    (_, whole), (less, scene) = find(1), find(step)
    assert len(scene.objects) == len(whole.objects) >= 4
    for one, other in zip(whole.objects, scene.objects):
        assert np.linalg.norm(one.box.center - other.box.center) < 0.02
        assert (np.diff(other.indices) > 0).all()
        common = len(np.intersect1d(one.indices, other.indices))
        assert common > 0.88 * len(np.union1d(one.indices, other.indices))
    assert less.params.objects.min_points == 400 // step ** 2


def test_small_images_are_not_thinned():
    """What is narrow already stays as it is; clouds without rows may always be thinned."""
    params = update(Params(), {'budget.max_thinning': 3})
    assert [most(480, width, params) for width in (100, 320, 640, 1280)] == [1, 1, 2, 3]
    assert most(1, 100, params) == 3


def test_clouds_without_rows():
    """Nothing is left out; the voxels grow."""
    xyz = columns(table_cloud().xyz)
    less = thin(xyz, 1, len(xyz), 3, Params())
    assert less.xyz is xyz and less.params.objects.voxel_size == pytest.approx(0.015)
    assert (less.kept == np.arange(len(xyz))).all()
    assert less.params.objects.min_points == 80


def test_odd_sizes():
    """Rows and columns that do not divide are rounded up."""
    xyz = columns(np.random.default_rng(0).random((35, 3)).astype(np.float32))
    less = thin(xyz, 5, 7, 3, Params())
    assert (less.height, less.width) == (2, 3)
    np.testing.assert_array_equal(less.xyz, xyz[less.kept])
    np.testing.assert_array_equal(less.kept, [0, 3, 6, 21, 24, 27])
