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

"""Pieces without a name are joined where the whole has one beyond doubt."""

from foundry_ros.boxes import upright_axes, upright_box
from foundry_ros.config import Params, update
from foundry_ros.merge import joinable, joined, Look
from foundry_ros.objects import ObjectCrop
import numpy as np

UP = np.array([0.0, 0.0, 1.0])
THRESHOLD = Params().model.score_threshold


def scene(*places, scores):
    """Give cubes of 4 cm at places (x, y, z): all their points, and a look at each."""
    rng = np.random.default_rng(0)
    clouds = [np.array(place) + rng.uniform(-0.02, 0.02, (500, 3)) for place in places]
    looks = []
    for i, (points, score) in enumerate(zip(clouds, scores)):
        looks.append(seen(np.arange(500) + 500 * i, points, score))
    return np.concatenate([np.zeros((0, 3)), *clouds]).astype(np.float32), looks


def seen(indices, points, score):
    """Look at an object whose best class has a score."""
    crop = ObjectCrop(indices, upright_box(points, upright_axes(UP)), UP)
    return Look(crop, points[:64], np.zeros((64, 2)), np.array([score, 0.01]))


def pieces(places, scores, **changes):
    """Give the sets of pieces that may be one thing."""
    xyz, looks = scene(*places, scores=scores)
    params = update(Params(), {f'objects.{name}': value for name, value in changes.items()})
    return [whole.pieces for whole in joinable(xyz, looks, params)]


ROW = [(0.0, 0, 1), (0.05, 0, 1), (0.10, 0, 1), (0.5, 0, 1), (0.55, 0, 1)]


def test_unknown_pieces_that_touch_may_be_one_thing():
    """Clusters are told apart by the gap between them."""
    assert pieces(ROW, [0.1] * 5) == [(0, 1, 2), (3, 4)]


def test_what_has_a_name_is_left_alone():
    """A named piece parts its neighbours."""
    assert pieces(ROW, [0.1, 0.9, 0.1, 0.1, 0.1]) == [(3, 4)]


def test_no_whole_is_larger_than_objects_may_be():
    """The limit of size holds for wholes, too."""
    assert pieces(ROW, [0.1] * 5, max_size=0.12) == [(3, 4)]


def test_sweeps_are_not_joined():
    """In a sweep everything stands apart that is apart."""
    assert pieces(ROW, [0.1] * 5, mode='lidar') == []


def test_nothing_to_join():
    """No objects, or a single one."""
    assert pieces([], []) == [] and pieces(ROW[:1], [0.1]) == []


def test_a_whole_holds_its_pieces_and_reaches_down_as_far():
    """Points of all pieces, in order; the box stands where the lowest box stood."""
    xyz, looks = scene((0, 0, 1), (0, 0, 1.05), scores=[0.1, 0.1])
    crop = joinable(xyz, looks, Params())[0].crop
    assert np.array_equal(crop.indices, np.arange(1000))
    bottoms = [c.box.center[2] - c.box.size[2] / 2 for c in (crop, looks[0].crop)]
    assert np.isclose(*bottoms) and np.isclose(crop.box.size[2], 0.09, atol=0.003)


def test_only_a_sure_name_joins():
    """A whole that is barely named, or not at all, leaves its pieces as they are."""
    xyz, looks = scene(*ROW, scores=[0.1] * 5)
    wholes = joinable(xyz, looks, Params())
    tried = [seen(w.crop.indices, xyz[w.crop.indices], score)
             for w, score in zip(wholes, (0.99, THRESHOLD + 0.01))]
    left = joined(looks, wholes, tried, THRESHOLD)
    assert [len(look.crop.indices) for look in left] == [1500, 500, 500]
    assert left[0] is tried[0] and left[1] is looks[3]
    assert joined(looks, [], [], THRESHOLD) == looks
