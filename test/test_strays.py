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


"""Points that float around an object are told from its thin and its hidden parts."""

from foundry_ros.config import CropParams, ObjectsParams
from foundry_ros.crop import region
from foundry_ros.objects import find_objects
from foundry_ros.strays import attached
import numpy as np

BODY = np.random.default_rng(0).uniform(-1, 1, (3000, 3)) * (0.04, 0.04, 0.1)
STRAYS = np.array([(0.1, 0.0, 0.05), (0.13, 0.02, 0.0), (-0.02, -0.12, 0.0)])


def kept(*parts):
    """Give the share of each part that stays."""
    mask = attached(np.concatenate(parts).astype(np.float32))
    return [part.mean() for part in np.split(mask, np.cumsum([len(p) for p in parts])[:-1])]


def test_strays_go_and_a_thin_stem_stays():
    """What holds on to the body cell by cell is no stray."""
    stem = np.linspace((0, 0, 0.1), (0, 0, 0.25), 40)
    assert kept(BODY, stem, STRAYS) == [1, 1, 0]


def test_large_pieces_stay():
    """The two sides of something half hidden belong to it, and so does every sparse point."""
    assert kept(BODY, BODY + (0.4, 0, 0)) == [1, 1]
    sparse = np.random.default_rng(1).uniform(-2, 2, (20, 3))
    assert kept(sparse) == [1]
    assert kept(np.zeros((5, 3))) == [1] == kept(np.ones((1, 3)))


def test_an_object_in_many_pieces_stays_whole():
    """Where more than a few points would go, they are the object."""
    dust = np.random.default_rng(2).uniform(-3, 3, (300, 3)) * 0.3
    assert kept(BODY, dust)[1] > 0.95


def test_a_point_in_the_air_does_not_inflate_the_box():
    """What the sweep joins to a bollard from 0.3 m away is neither in its crop nor its box."""
    rng = np.random.default_rng(0)
    flat = rng.uniform(-10, 10, (20000, 2))
    ground = np.column_stack([flat, np.full(len(flat), -1.5)])
    bollard = rng.uniform((4, 3, -1.4), (4.8, 3.8, -0.4), (1500, 3))
    stray = (5.1, 3.4, -0.9)
    xyz = np.concatenate([ground, bollard, [stray]]).astype(np.float32)
    params = ObjectsParams(mode='lidar')
    crop, = find_objects(xyz, region(xyz, CropParams(), 'lidar'), 1, len(xyz), params).objects
    assert len(xyz) - 1 not in crop.indices
    assert crop.box.size[0] < 0.9
