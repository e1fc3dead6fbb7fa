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

"""Rooms: walls and the faces of doors and cupboards are no objects, furniture is."""

from foundry_ros.config import CropParams, ObjectsParams
from foundry_ros.crop import region
from foundry_ros.objects import find_objects
from foundry_ros.surfaces import is_wall
import numpy as np
import pytest

WIDTH, HEIGHT, FOCAL = 320, 240, 200.0
UP = np.array([0.0, -1.0, 0.0])
# Boxes in the camera's optical frame, low and high corner; the floor is 1.2 m below the camera.
FLOOR = ((-4, 1.2, 0.5), (4, 1.3, 6))
WALL = ((-4, -1.3, 4.0), (4, 1.2, 4.2))
CUPBOARD = ((-1.4, -0.9, 3.4), (-0.6, 1.2, 4.0))
CHEST = ((0.1, 0.5, 2.6), (0.9, 1.2, 3.1))


def see(*boxes):
    """Give what a depth camera with its noise sees of boxes: (N, 3), and which, from 1."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([(u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL, np.ones(u.shape)], axis=-1)
    depths = []
    for box in np.array(boxes):
        with np.errstate(divide='ignore'):
            bounds = box[:, None, None] / rays
        near, far = bounds.min(axis=0).max(axis=-1), bounds.max(axis=0).min(axis=-1)
        depths.append(np.where((near < far) & (near > 0), near, np.inf))
    depth, which = np.min(depths, axis=0), np.argmin(depths, axis=0) + 1
    depth[depth > 6] = np.nan
    depth += np.random.default_rng(0).normal(0, 0.001, depth.shape) * depth ** 2
    return (rays * depth[..., None]).reshape(-1, 3).astype(np.float32), which.ravel()


def find(xyz, **params):
    """Find the objects of a room."""
    params = ObjectsParams(mode='room', **params)
    return find_objects(xyz, region(xyz, CropParams(), 'room'), HEIGHT, WIDTH, params).objects


def test_only_furniture_is_left_of_a_room():
    """Wall and cupboard go, the chest on the floor stays whole."""
    xyz, which = see(FLOOR, WALL, CUPBOARD, CHEST)
    objects = find(xyz)
    large = [crop for crop in objects if len(crop.indices) > 300]
    assert len(large) == 1
    found = np.isin(np.arange(len(xyz)), large[0].indices)
    assert (found & (which == 4)).sum() > 0.85 * (found | (which == 4)).sum()


def test_everything_stays_where_surfaces_are_left_alone():
    """Without ``remove_surfaces`` the cupboard is an object like any other."""
    xyz, which = see(CUPBOARD, CHEST)
    found = [np.bincount(which[crop.indices], minlength=3).argmax()
             for crop in find(xyz, remove_surfaces=False)]
    assert sorted(set(found)) == [1, 2]


@pytest.mark.parametrize('turn, shift, expected', [
    ((0, 1, 2), 0.0, True),      # upright and high
    ((0, 1, 2), -1.0, False),    # low: the front of a chest
    ((0, 2, 1), 0.0, False)])    # level: the top of a table
def test_a_face_is_flat_upright_and_high(turn, shift, expected):
    """One metre wide, two high, in the plane x-z."""
    rng = np.random.default_rng(0)
    face = rng.uniform([-0.5, -0.01, 0], [0.5, 0.01, 2], (2000, 3))[:, turn]
    face[:, 2] += shift
    assert is_wall(face, 0.03, 0.3, np.array([0., 0, 1]), 1.4) is expected


def test_a_round_thing_is_no_wall():
    """A column is upright and high, but not flat."""
    angle = np.random.default_rng(0).uniform(0, np.pi, 2000)
    column = np.stack([0.3 * np.cos(angle), 0.3 * np.sin(angle), np.linspace(0, 2, 2000)], axis=1)
    assert not is_wall(column, 0.03, 0.3, np.array([0., 0, 1]), 1.4)
