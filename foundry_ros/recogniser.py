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
"""What the objects of a cloud are: known from before, or looked at by the student now."""

from typing import Callable, List, Optional, Sequence, Tuple

from foundry_ros.budget import Plan
from foundry_ros.config import by_mode, Params
from foundry_ros.merge import joinable, joined, Look
from foundry_ros.names import class_scores
from foundry_ros.objects import ObjectCrop
from foundry_ros.refresh import due
from foundry_ros.student import Student
from foundry_ros.tokens import normalise, tokenise
from foundry_ros.tracks import Memory
import numpy as np


class Recogniser:
    """
    Remembers objects and what the student said of them.

    For each cloud call :meth:`meet` and then, when it is known how much may be done,
    :meth:`recognise`.
    """

    def __init__(self, student: Student):
        """Start without objects."""
        self._student = student
        self._memory = Memory()
        self._now, self._gap = -np.inf, np.inf
        self._wholes_due = 0

    def meet(self, crops: Sequence[ObjectCrop], stamp: int, pose: Optional[np.ndarray],
             params: Params) -> int:
        """
        Take in the objects of a cloud.

        :param stamp: of the cloud, nanoseconds.
        :param pose: (4, 4) from its frame to one that stands still, or None.
        :return: how many looks they are worth.
        """
        gap, self._now = stamp / 1e9 - self._now, stamp / 1e9
        self._gap = gap if gap > 0 else np.inf  # the clock went back
        self._crops, self._pose, self._params = crops, pose, params
        self._tracks = self._follow(self._memory.objects, crops)
        self._due = self._worth(self._tracks, crops)
        return len(self._due) + self._wholes_due

    def recognise(self, xyz: np.ndarray, plan: Plan, lap: Callable[[str], None]
                  ) -> Tuple[List[Look], List[str], int]:
        """
        Tell what they are.

        :param xyz: (N, 3) the cloud.
        :param plan: how many looks there may be, and with how many tokens.
        :param lap: called with the name of each stage that is over.
        :return: a look at each thing, which may be several objects joined; their ids; and how
            often the student looked.
        """
        # where there are fewer looks than are due, wholes get their share: as many as last time
        wanted = self._due[:plan.looks - min(self._wholes_due, plan.looks // 2)]
        looks = self._look(xyz, self._crops, self._tracks, wanted, plan.tokens, lap)
        again: List[int] = []
        self._wholes_due = 0
        if self._params.objects.merge:
            wholes = joinable(xyz, looks, self._params)
            crops = [whole.crop for whole in wholes]
            tracks = self._follow(self._memory.wholes, crops)
            again = self._worth(tracks, crops)
            self._wholes_due = len(again)
            again = again[:plan.looks - len(wanted)]
            tried = self._look(xyz, crops, tracks, again, plan.tokens, lap)
            looks = joined(looks, wholes, tried, self._params.model.score_threshold)
        names = self._memory.names([look.track for look in looks], self._params.tracks)
        return looks, names, len(wanted) + len(again)

    def forget(self):
        """Keep the objects, but look at all of them again: what was said counts no more."""
        self._memory.forget_looks()

    def _follow(self, tracker, crops):
        return tracker.follow([crop.box for crop in crops], self._params.tracks, self._pose)

    def _worth(self, tracks, crops):
        return due(tracks, crops, self._now, self._gap, self._params.tracks)

    def _look(self, xyz, crops, tracks, wanted, budget, lap):
        """Show objects to the student where that is wanted; the others are as they were."""
        tokens = tokenise([student_form(xyz, crops[i]) for i in wanted])
        lap('tokens')
        prediction = self._student(tokens.groups, tokens.centers, budget)
        scores = self._scores(prediction, [crops[i] for i in wanted])
        for k, i in enumerate(wanted):
            tracks[i].learn(Look(crops[i], tokens.centers[k], prediction.part_logits[k],
                                 scores[k]), self._now, self._params.tracks.smoothing)
        lap('student')
        return [self._remembered(*each) for each in zip(crops, tracks)]

    def _scores(self, prediction, crops):
        """Score the classes of objects; those of too few points have no name."""
        params = self._params
        edges = np.array([crop.box.size.max() for crop in crops])
        scores = class_scores(prediction.class_logits, edges, self._student.bundle,
                              params.model.use_size, params.objects.mode)
        least = by_mode(params.model, params.objects.mode).min_points
        return scores * np.array([len(crop.indices) >= least for crop in crops]).reshape(-1, 1)

    def _remembered(self, crop, track):
        """Give what is known of an object as it is seen now; nothing before the first look."""
        if not track.looks:
            bundle = self._student.bundle
            return Look(crop, np.zeros((1, 3), np.float32),
                        np.full((1, len(bundle.parts)), np.nan, np.float32),
                        np.zeros(len(bundle.classes)), track)
        return Look(crop, track.look.centers, track.look.part_logits, track.scores, track)


def student_form(xyz: np.ndarray, crop: ObjectCrop) -> np.ndarray:
    """Give the points of an object as the student gets them: (n, 3) float32, see normalise."""
    return normalise(xyz.T.take(crop.indices, axis=1).T, crop.up)[0]
