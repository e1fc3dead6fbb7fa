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
from foundry_ros.merge import Look
from foundry_ros.tracks import Memory, Track, Tracker
import numpy as np

PARAMS = TracksParams(max_distance=0.1, max_missed=2)


def box(x, edge=0.1, y=0.0):
    """Give a cube on the x axis."""
    return Box(np.array([x, y, 0.0]), np.full(3, edge), np.array([0, 0, 0, 1.0]))


class Followed:
    """A memory, asked for ids."""

    def __init__(self, params=PARAMS):
        """Start with nothing."""
        self.memory, self.params = Memory(), params

    def __call__(self, *boxes, pose=None):
        """Give the ids of boxes in one cloud."""
        tracks = self.memory.objects.follow(boxes, self.params, pose)
        return self.memory.names(tracks, self.params)


def test_ids_are_stable_whatever_the_order():
    """Objects that move a little keep their ids when they come in another order."""
    ids = Followed()
    first = ids(box(0), box(1))
    assert len(set(first)) == 2
    assert ids(box(1.05), box(0.04)) == first[::-1]


def test_crossing_pairs_are_matched_at_least_total_distance():
    """A neighbour that is nearer to a track does not steal it from the object that fits it."""
    ids = Followed()
    assert ids(box(0.0), box(0.09)) == ids(box(0.05), box(0.14))


def test_far_or_other_size_is_another_object():
    """Neither a jump nor a change to twice the size is the same object."""
    ids = Followed()
    assert len({*ids(box(0)), *ids(box(0.2)), *ids(box(0.2, 0.25))}) == 3


def test_missing_is_forgiven_then_forgotten():
    """An object comes back to its id within ``max_missed`` clouds, and never after."""
    ids = Followed()
    first = ids(box(0))
    for _ in range(2):
        assert ids() == []
    assert ids(box(0)) == first
    for _ in range(3):
        ids()
    assert ids(box(0)) != first


def test_a_sensor_that_moves():
    """It turns and goes 30 cm aside: in a frame that stands still, things are where they were."""
    turn = np.array([[0.0, -1, 0, 0.3], [1, 0, 0, -0.1], [0, 0, 1, 0], [0, 0, 0, 1]])
    there = [box(0), box(0.5), box(0.5, y=0.4)]
    here = [Box(turn[:3, :3].T @ (b.center - turn[:3, 3]), b.size, b.orientation) for b in there]
    ids = Followed()
    first = ids(*there, pose=np.eye(4))
    assert ids(*here, pose=turn) == first
    ids = Followed()
    first = ids(*there)
    assert not set(ids(*here)) & set(first)


def test_switched_off():
    """Without tracks the ids count from one in each cloud."""
    ids = Followed(TracksParams(enabled=False))
    for _ in range(2):
        assert ids(box(0), box(1)) == ['1', '2']


def test_only_what_is_named_takes_an_id():
    """Whatever else is followed leaves no holes in the numbers."""
    memory = Memory()
    memory.wholes.follow([box(3)], PARAMS)
    tracks = memory.objects.follow([box(0), box(1)], PARAMS)
    assert memory.names(tracks[1:], PARAMS) == ['1']
    assert memory.names(tracks, PARAMS) == ['2', '1']


def learned(smoothing, *values):
    """Give the first score after looks that gave these."""
    track = Track(np.zeros(3), np.ones(3))
    for now, value in enumerate(values):
        look = Look(None, None, None, np.array([value, 1 - value]))
        track.learn(look, float(now), smoothing)
    assert (track.looks, track.looked_at, track.look) == (len(values), now, look)
    np.testing.assert_allclose(track.scores.sum(), 1)
    return track.scores[0]


def test_scores_are_the_mean_until_the_past_weighs_enough():
    """The first scores stand, then they are averaged, then the past fades."""
    assert learned(0.6, 1.0) == 1.0
    np.testing.assert_allclose(learned(0.6, 1.0, 0.0), 0.5)
    np.testing.assert_allclose(learned(0.6, 1.0, 0.0, 0.0), 0.3)
    np.testing.assert_allclose(learned(0.9, 1.0, 0.0, 0.0), 1 / 3)
    np.testing.assert_allclose(learned(0.0, 1.0, 0.0), 0.0)


def test_sure_looks_count_more():
    """A look at 0.9 weighs nine times as much as one at 0.3."""
    track = Track(np.zeros(3), np.ones(3))
    for scores in ([0.9, 0.0, 0.1], [0.1, 0.3, 0.3]):
        track.learn(Look(None, None, None, np.array(scores)), 0.0, 0.9)
    np.testing.assert_allclose(track.scores, [0.82, 0.03, 0.12], atol=1e-4)
    track.learn(Look(None, None, None, np.zeros(3)), 0.0, 0.9)  # nothing said: no weight
    np.testing.assert_allclose(track.scores, [0.82, 0.03, 0.12], atol=1e-4)


def test_tracks_are_forgotten_for_good():
    """A thousand things that pass by leave nothing behind."""
    tracker = Tracker()
    for i in range(1000):
        tracker.follow([box(i)], PARAMS)
    assert len(tracker.tracks) <= PARAMS.max_missed + 1
