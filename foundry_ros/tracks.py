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
from typing import List, Sequence, Tuple

from foundry_ros.boxes import Box
from foundry_ros.config import TracksParams
import numpy as np
from scipy.optimize import linear_sum_assignment

# The edges of a box change with the view; an object of another size is another object.
LARGEST_SIZE_RATIO = 2.0
_FAR = 1e6


@dataclass
class _Track:
    """What is remembered of an object."""

    name: str
    center: np.ndarray
    size: np.ndarray
    scores: np.ndarray
    missed: int = 0


class Tracker:
    """Objects seen so far; give it each cloud's boxes and class scores, in order."""

    def __init__(self):
        """Start with no objects."""
        self._tracks: List[_Track] = []
        self._last_id = 0

    def reset(self):
        """Forget every object; ids go on counting, so none is used twice."""
        self._tracks = []

    def update(self, boxes: Sequence[Box], scores: np.ndarray, params: TracksParams
               ) -> Tuple[List[str], np.ndarray]:
        """
        Find each object again, or start to follow it.

        :param boxes: B boxes.
        :param scores: (B, classes) of this cloud alone.
        :return: the id of each object, and its scores smoothed over the clouds, (B, classes).
        """
        if not params.enabled:
            self.reset()
            return [str(i + 1) for i in range(len(boxes))], scores
        centers = np.array([box.center for box in boxes]).reshape(-1, 3)
        sizes = np.array([box.size for box in boxes]).reshape(-1, 3)
        matches = self._match(centers, sizes, params.max_distance)
        for track in self._tracks:
            track.missed += 1
        seen = []
        for i, (center, size) in enumerate(zip(centers, sizes)):
            track = matches.get(i) or self._start(center, size, scores[i])
            track.missed, track.center, track.size = 0, center, size
            track.scores = (params.smoothing * track.scores
                            + (1 - params.smoothing) * scores[i])
            seen.append(track)
        self._tracks = [t for t in self._tracks if t.missed <= params.max_missed]
        smooth = np.array([t.scores for t in seen]).reshape(scores.shape)
        return [t.name for t in seen], smooth

    def _start(self, center, size, scores):
        """Follow a new object."""
        self._last_id += 1
        track = _Track(str(self._last_id), center, size, scores)
        self._tracks.append(track)
        return track

    def _match(self, centers, sizes, max_distance):
        """Pair objects with tracks at the least total distance; give object -> track."""
        if not len(centers) or not self._tracks:
            return {}
        old_centers = np.array([t.center for t in self._tracks])
        old_sizes = np.sort([t.size for t in self._tracks], axis=1)
        distance = np.linalg.norm(centers[:, None] - old_centers[None], axis=2)
        ratio = np.abs(np.log(np.sort(sizes, axis=1)[:, None] / old_sizes[None]))
        # Judged by the two longer edges: the shortest is often the depth that is not seen.
        ratio = ratio[:, :, 1:].max(axis=2)
        allowed = (distance <= max_distance) & (ratio <= np.log(LARGEST_SIZE_RATIO))
        cost = np.where(allowed, distance + max_distance * ratio, _FAR)
        return {i: self._tracks[j] for i, j in zip(*linear_sum_assignment(cost))
                if allowed[i, j]}
