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
"""Tracks: the same object keeps its id, scores settle, what is gone is forgotten."""

from foundry_ros.boxes import Box
from foundry_ros.config import TracksParams
from foundry_ros.tracks import Tracker
import numpy as np

PARAMS = TracksParams(max_distance=0.1, smoothing=0.6, max_missed=2)


def box(x, edge=0.1, y=0.0):
    """Give a cube on the x axis."""
    return Box(np.array([x, y, 0.0]), np.full(3, edge), np.array([0, 0, 0, 1.0]))


def scores(*values):
    """Give a row of two class scores an object."""
    return np.array([[value, 1 - value] for value in values]).reshape(-1, 2)


def test_ids_are_stable_whatever_the_order():
    """Objects that move a little keep their ids when they come in another order."""
    tracker = Tracker()
    first, _ = tracker.update([box(0), box(1)], scores(0.5, 0.5), PARAMS)
    assert len(set(first)) == 2
    second, _ = tracker.update([box(1.05), box(0.04)], scores(0.5, 0.5), PARAMS)
    assert second == first[::-1]


def test_crossing_pairs_are_matched_at_least_total_distance():
    """A neighbour that is nearer to a track does not steal it from the object that fits it."""
    tracker = Tracker()
    first, _ = tracker.update([box(0.0), box(0.09)], scores(0.5, 0.5), PARAMS)
    second, _ = tracker.update([box(0.05), box(0.14)], scores(0.5, 0.5), PARAMS)
    assert second == first


def test_far_or_other_size_is_another_object():
    """Neither a jump nor a change to twice the size is the same object."""
    tracker = Tracker()
    first, _ = tracker.update([box(0)], scores(0.5), PARAMS)
    jumped, _ = tracker.update([box(0.2)], scores(0.5), PARAMS)
    grown, _ = tracker.update([box(0.2, 0.25)], scores(0.5), PARAMS)
    assert len({*first, *jumped, *grown}) == 3


def test_scores_are_smoothed_from_the_first_sight():
    """The first scores stand; then the past has its weight."""
    tracker = Tracker()
    _, smooth = tracker.update([box(0)], scores(1.0), PARAMS)
    np.testing.assert_allclose(smooth, scores(1.0))
    _, smooth = tracker.update([box(0)], scores(0.0), PARAMS)
    np.testing.assert_allclose(smooth, scores(0.6))
    _, smooth = tracker.update([box(0)], scores(0.0), PARAMS)
    np.testing.assert_allclose(smooth, scores(0.36))


def test_missing_is_forgiven_then_forgotten():
    """An object comes back to its id within ``max_missed`` clouds, and never after."""
    tracker = Tracker()
    nothing = ([], scores(), PARAMS)
    first, _ = tracker.update([box(0)], scores(0.5), PARAMS)
    for _ in range(2):
        assert tracker.update(*nothing)[0] == []
    assert tracker.update([box(0)], scores(0.5), PARAMS)[0] == first
    for _ in range(3):
        tracker.update(*nothing)
    assert tracker.update([box(0)], scores(0.5), PARAMS)[0] != first


def test_switched_off():
    """Without tracks the ids count from one in each cloud, and scores stay as they are."""
    tracker, off = Tracker(), TracksParams(enabled=False)
    for value in (1.0, 0.0):
        ids, same = tracker.update([box(0), box(1)], scores(value, value), off)
        assert ids == ['1', '2']
        np.testing.assert_allclose(same, scores(value, value))
