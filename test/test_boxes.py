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

"""Upright boxes around points."""

from foundry_ros.boxes import quaternion, upright_axes, upright_box
import numpy as np
import pytest


def rotation(box):
    """Turn the box's quaternion into its axes, as columns."""
    x, y, z, w = box.orientation
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])


def brick(size, yaw, axes, center):
    """Fill a turned box that stands on the plane of the axes."""
    points = (np.random.default_rng(0).random((3000, 3)) - 0.5) * size
    points = np.concatenate([points, np.sign(points) * np.array(size) / 2])
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    return (points @ turn @ axes + center).astype(np.float32)


@pytest.mark.parametrize('up', [(0, 0, 1), (0, -1, 0), (0.6, 0, 0.8), (0, -0.8, -0.6), (-1, 0, 0)])
@pytest.mark.parametrize('yaw', [0.0, 0.4, 1.3, -0.7])
def test_box_of_a_turned_brick(up, yaw):
    """Size, centre and axes are those of the brick, whichever way is up."""
    axes, center = upright_axes(np.array(up, float)), np.array([0.3, -0.2, 1.1])
    box = upright_box(brick((0.3, 0.12, 0.2), yaw, axes, center), axes)
    assert np.allclose(box.size, [0.3, 0.12, 0.2], atol=0.008)
    assert np.allclose(box.center, center, atol=0.005)
    turn = rotation(box)
    assert np.allclose(turn[:, 2], up, atol=1e-6)
    long_side = np.array([np.cos(yaw), np.sin(yaw), 0]) @ axes
    assert abs(turn[:, 0] @ long_side) > 0.999
    assert np.linalg.det(turn) == pytest.approx(1)


def test_box_reaches_down_to_the_support():
    """What hides the foot of an object does not make it float."""
    axes = np.eye(3)
    points = brick((0.1, 0.1, 0.1), 0.0, axes, np.array([0, 0, 0.2]))
    assert upright_box(points, axes, floor=0.1).size[2] == pytest.approx(0.15, abs=1e-3)
    assert upright_box(points, axes, floor=0.1).center[2] == pytest.approx(0.175, abs=1e-3)
    assert upright_box(points, axes, floor=0.18).size[2] == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize('points', [[[1, 2, 3]], [[0, 0, 1], [0, 0, 1]], [[0, 0, 1], [1, 0, 1]]])
def test_box_of_hardly_anything(points):
    """A point and a line have boxes, too."""
    box = upright_box(np.array(points, np.float32), np.eye(3))
    assert np.isfinite(box.center).all() and (box.size >= 1e-3).all()
    assert np.linalg.norm(box.orientation) == pytest.approx(1)
    assert np.allclose(box.center, np.mean(points, axis=0), atol=1e-6)


def test_quaternion_of_half_turns():
    """Rotations by 180 degrees, where formulas that divide by w fail."""
    for axis in range(3):
        turn = -np.eye(3)
        turn[axis, axis] = 1
        assert np.allclose(np.abs(quaternion(turn)), np.eye(4)[axis], atol=1e-9)
