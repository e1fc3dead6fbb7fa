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
"""The same object from cloud to cloud: stable ids, scores that settle."""

from dataclasses import dataclass
from itertools import count
from typing import Dict, Iterator, List, Optional, Sequence

from foundry_ros.boxes import Box
from foundry_ros.config import TracksParams
from foundry_ros.merge import Look
import numpy as np
from scipy.optimize import linear_sum_assignment

# The edges of a box change with the view; an object of another size is another object.
LARGEST_SIZE_RATIO = 2.0
LEAST_WEIGHT = 1e-6
_FAR = 1e6


@dataclass
class Track:
    """
    What is remembered of an object.

    ``center`` (3,) and ``size`` (3,) in the frame that it is followed in, metres; ``missed``
    clouds since it was last there; ``look`` the student's last one, ``looks`` their number,
    ``looked_at`` the time of the last in seconds, ``scores`` (classes,) smoothed over all.
    """

    center: np.ndarray
    size: np.ndarray
    missed: int = 0
    look: Optional[Look] = None
    looks: int = 0
    looked_at: float = -np.inf
    scores: Optional[np.ndarray] = None
    _weight: float = 0.0
    _id: str = ''

    def learn(self, look: Look, now: float, smoothing: float):
        """
        Take in what the student says now.

        The scores are the mean over the looks until the past has the weight that it may have. A
        look counts with the square of its best score: from some sides a thing tells little.

        :param now: seconds, by the stamps of the clouds.
        :param smoothing: ``tracks.smoothing``.
        """
        weight = float(look.scores.max()) ** 2 + LEAST_WEIGHT
        known = min(self.looks, smoothing / (1 - smoothing))
        past = known * self._weight
        self.scores = (look.scores if self.scores is None
                       else (past * self.scores + weight * look.scores) / (past + weight))
        self._weight = (past + weight) / (known + 1)
        self.look, self.looked_at = look, now
        self.looks += 1

    def name(self, ids: Iterator[int]) -> str:
        """Give its id; it takes the next one when it is asked for the first time."""
        self._id = self._id or str(next(ids))
        return self._id


class Tracker:
    """Objects seen so far, its ``tracks``; give it each cloud's boxes, in order."""

    def __init__(self):
        """Start with no objects."""
        self.tracks: List[Track] = []

    def follow(self, boxes: Sequence[Box], params: TracksParams,
               pose: Optional[np.ndarray] = None) -> List[Track]:
        """
        Find each object again, or start to follow it.

        :param boxes: B boxes.
        :param pose: (4, 4) from their frame to one in which things stay where they are while
            the sensor moves; None = their own frame.
        :return: the track of each.
        """
        if not params.enabled:
            self.tracks = []
        centers = np.array([box.center for box in boxes]).reshape(-1, 3)
        if pose is not None:
            centers = centers @ pose[:3, :3].T + pose[:3, 3]
        sizes = np.array([box.size for box in boxes]).reshape(-1, 3)
        matches = self._match(centers, sizes, params.max_distance)
        for track in self.tracks:
            track.missed += 1
        seen = []
        for i, (center, size) in enumerate(zip(centers, sizes)):
            track = matches.get(i)
            if track is None:
                track = Track(center, size)
                self.tracks.append(track)
            track.missed, track.center, track.size = 0, center, size
            seen.append(track)
        self.tracks = [t for t in self.tracks if t.missed <= params.max_missed]
        return seen

    def _match(self, centers, sizes, max_distance) -> Dict[int, Track]:
        """Pair objects with tracks at the least total distance; give object -> track."""
        if not len(centers) or not self.tracks:
            return {}
        old_centers = np.array([t.center for t in self.tracks])
        old_sizes = np.sort([t.size for t in self.tracks], axis=1)
        distance = np.linalg.norm(centers[:, None] - old_centers[None], axis=2)
        ratio = np.abs(np.log(np.sort(sizes, axis=1)[:, None] / old_sizes[None]))
        # Judged by the two longer edges: the shortest is often the depth that is not seen.
        ratio = ratio[:, :, 1:].max(axis=2)
        allowed = (distance <= max_distance) & (ratio <= np.log(LARGEST_SIZE_RATIO))
        cost = np.where(allowed, distance + max_distance * ratio, _FAR)
        return {i: self.tracks[j] for i, j in zip(*linear_sum_assignment(cost))
                if allowed[i, j]}


class Memory:
    """The objects of a scene, and the wholes that their pieces may make."""

    def __init__(self):
        """Start with nothing."""
        self.objects, self.wholes = Tracker(), Tracker()
        self._ids = count(1)

    def names(self, tracks: Sequence[Track], params: TracksParams) -> List[str]:
        """Give the ids of tracks; where nothing is followed, they count from 1."""
        ids = self._ids if params.enabled else count(1)
        return [track.name(ids) for track in tracks]

    def forget_looks(self):
        """Keep the objects and their ids, but nothing that was said of them."""
        for track in (*self.objects.tracks, *self.wholes.tracks):
            track.looks, track.scores, track.look = 0, None, None
