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
"""What is looked at again: the new and the changed at once, the rest in turn."""

from foundry_ros.boxes import Box
from foundry_ros.config import TracksParams
from foundry_ros.merge import Look
from foundry_ros.objects import ObjectCrop
from foundry_ros.refresh import due, SETTLED
from foundry_ros.tracks import Track
import numpy as np
import pytest

PARAMS = TracksParams(refresh_s=1.0)
UP = np.array([0, 0, 1.0])


def crop(x=0.0, edges=(0.2, 0.15, 0.1), points=1000):
    """Give an object."""
    return ObjectCrop(np.arange(points), Box(np.array([x, 0, 0]), np.array(edges),
                                             np.array([0, 0, 0, 1.0])), UP)


def track(looked_at, looks=SETTLED, seen=None):
    """Give what is remembered of an object."""
    known = Track(np.zeros(3), np.ones(3))
    known.looks, known.looked_at = looks, looked_at
    known.look = Look(seen or crop(), None, None, None) if looks else None
    return known


def test_most_urgent_first():
    """New before changed before unsettled before long not looked at."""
    tracks = [track(9.9), track(8.0), track(9.9, looks=2), track(9.9, seen=crop(0.5)),
              track(-np.inf, looks=0)]
    assert due(tracks, [crop()] * 5, 10.0, 10.0, PARAMS) == [4, 3, 2, 1]


def test_the_rest_takes_turns():
    """Twenty objects at ten clouds a second: two in each cloud, each once a second."""
    tracks, crops = [track(0.0) for _ in range(20)], [crop()] * 20
    counts, looks = np.zeros(20), []
    for i in range(1, 41):
        chosen = due(tracks, crops, i / 10, 0.1, PARAMS)
        looks.append(len(chosen))
        for k in chosen:
            tracks[k].looked_at = i / 10
            counts[k] += 1
    assert max(looks) == 2
    assert counts.min() >= 3 and counts.max() <= 4


def test_every_cloud_if_that_is_asked_for():
    """``refresh_s`` 0 looks at everything, and so it is where nothing is followed."""
    tracks, crops = [track(9.99) for _ in range(3)], [crop()] * 3
    assert due(tracks, crops, 10.0, 0.01, PARAMS) == []
    assert due(tracks, crops, 10.0, 0.01, TracksParams(refresh_s=0.0)) == [0, 1, 2]
    assert due(tracks, crops, 10.0, 0.01, TracksParams(enabled=False)) == [0, 1, 2]


def test_a_clock_that_goes_back():
    """A recording starts again: what was looked at in the future is looked at again."""
    assert due([track(100.0)], [crop()], 1.0, np.inf, PARAMS) == [0]


@pytest.mark.parametrize('now, worth_it', [
    (crop(0.01), False), (crop(0.03), True), (crop(edges=(0.21, 0.15, 0.1)), False),
    (crop(edges=(0.26, 0.15, 0.1)), True), (crop(edges=(0.2, 0.15, 0.05)), False),
    (crop(points=800), False), (crop(points=500), True)])
def test_what_counts_as_changed(now, worth_it):
    """Moved, resized or half hidden; noise and the depth that is hardly seen are no change."""
    assert due([track(9.95)], [now], 10.0, 0.1, PARAMS) == ([0] if worth_it else [])
