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

"""Normals, creases and patches: the steps between a cloud and its objects."""

from depth_camera import HEIGHT, look, UP, WIDTH
from foundry_ros.convexity import image_concavity
from foundry_ros.crop import voxel_grid
from foundry_ros.graph import (components, contract, numbered, patches, SurfaceGraph, watershed,
                               without_small)
from foundry_ros.normals import box_sum, image_normals
from foundry_ros.surfaces import find_surfaces, guess_up, viewing_axis
from foundry_ros.voxel_graph import voxel_graph
import numpy as np
import pytest


def chain(cost, near=None, jumps=()):
    """Make a graph of nodes in a row, a centimetre apart."""
    count = len(cost)
    if near is None:
        near = [(k, k + 1) for k in range(count - 1)]
    points = np.zeros((count, 3), np.float32)
    points[:, 0] = 0.01 * np.arange(count)
    edges = [np.array(e, np.int64).reshape(-1, 2).T for e in (near, jumps)]
    return SurfaceGraph(points, points, np.array(cost, np.float32), points[:, 0], *edges)


def test_box_sum_is_a_sum_over_a_window():
    """The same as adding up every window, borders included."""
    values = np.random.default_rng(0).random((2, 9, 7))
    padded = np.pad(values, ((0, 0), (2, 2), (2, 2)))
    expected = sum(padded[:, r:r + 9, c:c + 7] for r in range(5) for c in range(5))
    assert np.allclose(box_sum(values, 5), expected)
    assert np.allclose(box_sum(values[0], 5), expected[0])


def test_normals_of_a_table_point_up():
    """Every pixel of a plane has the plane's normal, towards the camera."""
    points = look()[0].reshape(HEIGHT, WIDTH, 3).transpose(2, 0, 1)
    normals = image_normals(points, np.full((HEIGHT, WIDTH), 0.03, np.float32), 7)
    known = np.isfinite(normals[0])
    assert known.sum() > 0.95 * np.isfinite(points[2]).sum()
    assert (UP @ normals[:, known]).min() > 0.999


def test_concave_creases_cost_and_convex_edges_do_not():
    """The foot of a box on the table is a crease; the box's own edges are none."""
    xyz, truth = look(((0.0, 0.0, 0, 0.3, 0.2, 0.15),))
    points = xyz.reshape(HEIGHT, WIDTH, 3).transpose(2, 0, 1)
    points = np.where(np.pad(np.ones((HEIGHT - 6, WIDTH - 6), bool), 3), points, np.nan)
    jump = np.full((HEIGHT, WIDTH), 0.02, np.float32)
    cost, curvature = image_concavity(points, image_normals(points, jump, 7), jump, 3)
    truth = truth.reshape(HEIGHT, WIDTH)
    column, rows = WIDTH // 2, np.flatnonzero(truth[:, WIDTH // 2])
    foot = rows[-1]
    assert cost[foot - 3:foot + 4, column].max() > 0.8
    assert curvature[foot, column] > 0
    assert cost[rows[0] + 6:foot - 8, column].max() < 0.1
    assert curvature[rows[0] + 6:foot - 8, column].min() < -5  # the edge between top and front
    assert cost[foot + 10:, column].max() < 0.05


def test_watershed_meets_on_the_ridge():
    """Two basins share the nodes between them at the top of the cost."""
    graph = chain([0, 0, 0, 0.2, 0.6, 1.0, 0.6, 0.2, 0, 0, 0])
    labels = watershed(graph, np.array([1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 2]))
    assert labels[:5].tolist() == [1] * 5
    assert labels[6:].tolist() == [2] * 5
    assert labels[5] in (1, 2)


def test_watershed_leaves_what_no_basin_reaches():
    """An island without a basin stays without a label."""
    graph = chain([0, 1, 1, 1], near=[(0, 1), (2, 3)])
    assert watershed(graph, np.array([1, 0, 0, 0])).tolist() == [1, 1, 0, 0]


def test_small_labels_are_cleared():
    """What stays is numbered from 1 without gaps."""
    labels = np.array([0, 3, 3, 1, 2, 2, 2, 0])
    assert without_small(labels, 2).tolist() == [0, 2, 2, 0, 1, 1, 1, 0]


def test_contract_merges_by_summed_evidence():
    """Strong attraction merges; repulsion of the union outweighs a weak link."""
    pairs = np.array([[1, 2, 1, 3], [2, 3, 3, 4]])
    merged = contract(5, pairs, np.array([1.0, 0.3, -0.5, -0.1]))
    label = numbered(components(5, merged))
    assert label[1] == label[2]
    assert len({label[2], label[3], label[4]}) == 3


def test_contract_merges_ties_and_chains():
    """Equal evidence all along a chain ends in one."""
    pairs = np.array([[1, 2, 3], [2, 3, 4]])
    label = numbered(components(5, contract(5, pairs, np.ones(3))))
    assert len(set(label[1:].tolist())) == 1 and label[0] != label[1]


def test_contract_of_nothing():
    """No touching patches, nothing merged."""
    assert contract(3, np.zeros((2, 0), np.int64), np.zeros(0)).shape == (2, 0)


def test_joined_patches_forget_their_common_border():
    """Edges inside a patch are no border; labels stay without gaps."""
    graph = chain([0] * 4, jumps=[(0, 3)])
    found = patches(graph, np.array([1, 2, 3, 3]))
    assert found.near.shape[1] == 2 and found.jumps.shape[1] == 1
    found = found.joined(np.array([[1], [2]]))
    assert found.labels.tolist() == [1, 1, 2, 2] and found.count == 3
    assert found.near.tolist() == [[1], [2]]


def test_voxels_of_a_model_around_its_origin_bulge():
    """A closed shape seen from nowhere has outward normals and no creases."""
    points = np.random.default_rng(0).normal(size=(20000, 3))
    points *= 0.1 / np.linalg.norm(points, axis=1, keepdims=True)
    graph = voxel_graph(voxel_grid(points.astype(np.float32), 0.01), 0.01)
    assert (np.einsum('ij,ij->i', graph.points, graph.normals) > 0).mean() > 0.99
    assert np.median(graph.cost) < 0.05


@pytest.mark.parametrize('turn, up, axis', [
    (np.eye(3), (0, -1, 0), 1), (np.diag([1, -1, -1]), (0, 1, 0), -1),
    (np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]), (0, 0, 1), 0)])
def test_up_is_guessed_from_the_frame(turn, up, axis):
    """Optical frames, graphics frames, and bodies with z up."""
    points = np.random.default_rng(0).uniform([-0.5, -0.4, 0.8], [0.5, 0.4, 2], (500, 3)) @ turn.T
    assert viewing_axis(points) == axis
    assert np.allclose(guess_up(points), up)


def test_camera_looking_straight_down():
    """Where only the table is seen, its normal is up though the frame says otherwise."""
    xy = np.random.default_rng(0).uniform(-0.4, 0.4, (3000, 2))
    points = np.column_stack([xy, np.full(3000, 0.9)])
    planes, up = find_surfaces(points, 0.01, 0.35, 3)
    assert len(planes) == 1 and np.allclose(up, [0, 0, -1], atol=1e-3)


def test_known_up_rules_out_walls():
    """A wall that fills the view is no support when gravity is known."""
    rng = np.random.default_rng(0)
    wall = rng.uniform([-1, -1, 1.5], [1, 0.8, 1.5], (4000, 3))
    floor = rng.uniform([-1, 0.8, 0.8], [1, 0.8, 1.5], (800, 3))
    planes, up = find_surfaces(np.concatenate([wall, floor]), 0.01, 0.35, 2, np.array([0., -1, 0]))
    assert np.allclose(up, [0, -1, 0])
    assert len(planes) == 1 and planes[0].offset == pytest.approx(-0.8, abs=0.01)
    assert np.allclose(planes[0].height(floor), 0, atol=0.01)
