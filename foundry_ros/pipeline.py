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


"""The whole way of a cloud: crop, segment, tokens, student, names and parts, tracks."""

from dataclasses import dataclass, replace
import time
from typing import Dict, Mapping, Optional, Tuple

from foundry_ros.boxes import Box
from foundry_ros.budget import BudgetController
from foundry_ros.cloud import Cloud
from foundry_ros.config import by_mode, Params
from foundry_ros.crop import columns, left_out, region, up_vector
from foundry_ros.load import Load, LoadMonitor
from foundry_ros.merge import joinable, joined, Look
from foundry_ros.names import best, class_scores, name_parts, NO_PART, UNKNOWN
from foundry_ros.objects import find_objects, Scene
from foundry_ros.student import Student
from foundry_ros.tokens import normalise, tokenise
from foundry_ros.tracks import Tracker
import numpy as np


@dataclass(frozen=True)
class Detection:
    """
    One object of a cloud, named.

    ``id`` is its track, ``label`` its class or ``'unknown'``, ``score`` in [0, 1] that of the
    best class, ``alternatives`` ((label, score), ...) the best classes, best first, ``box`` in
    the cloud's frame, ``indices`` (n,) int64 its points in the cloud, ``parts`` (n,) int32 their
    global part ids (-1 = none), ``part_scores`` (n,) float32, ``part_names`` id -> name of the
    parts that occur.
    """

    id: str  # noqa: A003 the name that vision_msgs gives it
    label: str
    score: float
    alternatives: Tuple[Tuple[str, float], ...]
    box: Box
    indices: np.ndarray
    parts: np.ndarray
    part_scores: np.ndarray
    part_names: Mapping[int, str]


@dataclass(frozen=True)
class Frame:
    """
    What was found in one cloud.

    ``stamp`` in nanoseconds, ``latency_ms`` by stage: ``crop``, ``segment``, ``tokens``,
    ``student`` and ``total`` (which also holds naming and tracking), ``scene`` the surfaces and
    which way is up, ``notice`` what the user should know, in one line: why no point of the cloud
    was looked at.
    """

    stamp: int
    frame_id: str
    token_budget: int
    latency_ms: Dict[str, float]
    detections: Tuple[Detection, ...]
    scene: Scene
    notice: str = ''


class Pipeline:
    """
    Clouds in, named objects and parts out, one at a time and in order.

    ``params`` may be replaced at any time and holds from the next cloud on; ``controller`` is
    told of clouds that were dropped with ``controller.arrived(stamp)``.
    """

    def __init__(self, params: Params, student: Student, load: Optional[LoadMonitor] = None):
        """
        Warm the student.

        :param load: the load of this machine if the budget shall heed it; without, only the
            time that clouds take counts.
        """
        self.params = params
        self.student = student
        self.load = load
        self.controller = BudgetController(student.warm())
        self.tracker = Tracker()

    def process(self, cloud: Cloud, up: Optional[np.ndarray] = None) -> Frame:
        """
        Find and name the objects of a cloud.

        :param up: (3,) which way is up in the cloud's frame where the caller knows (gravity by
            tf); ``crop.up`` goes before it, the support surface's normal after it.
        """
        params, lap = self.params, _Laps()
        self.controller.arrived(cloud.stamp)
        xyz = columns(cloud.xyz)
        mask = region(xyz, params.crop, params.objects.mode)
        known_up = up_vector(params.crop.up)
        lap('crop')
        scene = find_objects(xyz, mask, cloud.height, cloud.width, params.objects,
                             up if known_up is None else known_up, cloud.rgb)
        lap('segment')
        budget = self._budget(len(scene.objects), params)
        looks = self._look(xyz, scene.objects, budget, params, lap)
        seen = len(looks)
        if params.objects.merge:
            wholes = joinable(xyz, looks, params)
            tried = self._look(xyz, [whole.crop for whole in wholes], budget, params, lap)
            looks = joined(looks, wholes, tried, params.model.score_threshold)
            seen += len(tried)
        ids, scores = self.tracker.update([look.crop.box for look in looks],
                                          np.array([look.scores for look in looks]),
                                          params.tracks)
        detections = tuple(self._detection(*each, params) for each in zip(ids, looks, scores))
        latency = lap.total()
        self.controller.observe(budget, seen, latency)
        scene = replace(scene, objects=tuple(look.crop for look in looks))
        notice = '' if mask.any() else left_out(xyz, params.crop, params.objects.mode)
        return Frame(cloud.stamp, cloud.frame_id, budget, latency, detections, scene, notice)

    def _budget(self, objects, params):
        """Give the fixed budget, or let the controller choose."""
        if params.token_budget:
            return params.token_budget
        load = self.load.read() if self.load else Load()
        return self.controller.choose(objects, params.budget, load)

    def _look(self, xyz, crops, budget, params, lap):
        """Show objects to the student, and score what it says."""
        shapes = [normalise(xyz[crop.indices], crop.up)[0] for crop in crops]
        tokens = tokenise(shapes)
        lap('tokens')
        prediction = self.student(tokens.groups, tokens.centers, budget)
        edges = np.array([crop.box.size.max() for crop in crops])
        scores = class_scores(prediction.class_logits, edges, self.student.bundle,
                              params.model.use_size, params.objects.mode)
        least = by_mode(params.model, params.objects.mode).min_points
        scores *= np.array([len(shape) >= least for shape in shapes]).reshape(-1, 1)
        lap('student')
        return [Look(*each) for each in
                zip(crops, shapes, tokens.centers, prediction.part_logits, scores)]

    def _detection(self, track, look, scores, params):
        """Name an object and its parts."""
        crop, bundle = look.crop, self.student.bundle
        label, score, alternatives = best(scores, bundle.classes, params.model.score_threshold,
                                          params.output.alternatives)
        wanted = label if params.output.parts else UNKNOWN
        parts, part_scores = name_parts(wanted, look.part_logits, look.centers, look.shape,
                                        bundle)
        names = {int(i): bundle.parts[i] for i in np.unique(parts) if i != NO_PART}
        return Detection(track, label, score, alternatives, crop.box, crop.indices, parts,
                         part_scores, names)


class _Laps:
    """Times the stages: call it with a stage's name when the stage is over."""

    def __init__(self):
        self._start = self._last = time.perf_counter()
        self._ms = {}

    def __call__(self, stage):
        now = time.perf_counter()
        self._ms[stage] = self._ms.get(stage, 0.0) + (now - self._last) * 1e3
        self._last = now

    def total(self):
        """Give all stages and ``total``, in milliseconds."""
        return {**self._ms, 'total': (time.perf_counter() - self._start) * 1e3}
