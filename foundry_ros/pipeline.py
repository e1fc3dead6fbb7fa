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
from foundry_ros.budget import BudgetController, Plan
from foundry_ros.cloud import Cloud
from foundry_ros.config import Params
from foundry_ros.crop import columns, left_out, region, up_vector
from foundry_ros.latency import Work
from foundry_ros.load import Load, LoadMonitor
from foundry_ros.names import best, name_parts, NO_PART, part_ids, UNKNOWN
from foundry_ros.objects import find_objects, Scene
from foundry_ros.recogniser import Recogniser, student_form
from foundry_ros.student import Student
from foundry_ros.thinning import most, thin
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
    which way is up, ``looks`` how often the student looked (what has not changed keeps what was
    said of it), ``thinning`` 1 or n where every nth row and column was taken, ``notice`` what the
    user should know, in one line: why no point of the cloud was looked at.
    """

    stamp: int
    frame_id: str
    token_budget: int
    latency_ms: Dict[str, float]
    detections: Tuple[Detection, ...]
    scene: Scene
    looks: int = 0
    thinning: int = 1
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
        self.controller = BudgetController(student.warm(), student.lanes)
        self._recogniser = Recogniser(student)
        self._rules = None

    def process(self, cloud: Cloud, up: Optional[np.ndarray] = None,
                pose: Optional[np.ndarray] = None) -> Frame:
        """
        Find and name the objects of a cloud.

        :param up: (3,) which way is up in the cloud's frame where the caller knows (gravity by
            tf); ``crop.up`` goes before it, the support surface's normal after it.
        :param pose: (4, 4) from the cloud's frame to one that stands still, where the caller
            knows: objects are followed in it.
        """
        params, controller, lap = self.params, self.controller, _Laps()
        controller.arrived(cloud.stamp)
        coarsest = most(cloud.height, cloud.width, params)
        step = 1 if params.token_budget else min(controller.thinning, coarsest)
        xyz = columns(cloud.xyz)
        thinned = thin(xyz, cloud.height, cloud.width, step, params)
        mask = region(thinned.xyz, params.crop, params.objects.mode)
        known_up = up_vector(params.crop.up)
        lap('crop')
        scene = thinned.restored(find_objects(
            thinned.xyz, mask, thinned.height, thinned.width, thinned.params.objects,
            up if known_up is None else known_up), xyz)
        lap('segment')
        self._keep_to_rules(params)
        due = self._recogniser.meet(scene.objects, cloud.stamp, pose, thinned.params)
        plan = self._plan(due, len(scene.objects), params, coarsest)
        looks, names, seen = self._recogniser.recognise(xyz, plan, lap)
        detections = tuple(self._detection(*each, xyz, params) for each in zip(names, looks))
        latency = lap.total()
        controller.observe(Work(plan.tokens, seen, len(looks), step), latency)
        scene = replace(scene, objects=tuple(look.crop for look in looks))
        notice = '' if mask.any() else left_out(xyz, params.crop, params.objects.mode)
        return Frame(cloud.stamp, cloud.frame_id, plan.tokens, latency, detections, scene, seen,
                     step, notice)

    def _keep_to_rules(self, params):
        """Forget what was said by other rules."""
        rules = params.token_budget, params.model, params.objects, params.crop.up
        if rules != self._rules:
            self._rules = rules
            self._recogniser.forget()

    def _plan(self, due, objects, params, coarsest):
        """Take the fixed budget, or let the controller choose."""
        if params.token_budget:
            return Plan(params.token_budget)
        load = self.load.read() if self.load else Load()
        return self.controller.choose(due, objects, params.budget, load, params.tracks.enabled,
                                      coarsest)

    def _detection(self, name, look, xyz, params):
        """Name an object and its parts."""
        crop, bundle = look.crop, self.student.bundle
        label, score, alternatives = best(look.scores, bundle.classes,
                                          params.model.score_threshold,
                                          params.output.alternatives)
        parts, part_scores = self._parts(label if params.output.parts else UNKNOWN, look, xyz)
        names = {int(i): bundle.parts[i] for i in np.unique(parts) if i != NO_PART}
        return Detection(name, label, score, alternatives, crop.box, crop.indices, parts,
                         part_scores, names)

    def _parts(self, label, look, xyz):
        """Give the points of an object their parts."""
        bundle, count = self.student.bundle, len(look.crop.indices)
        if not part_ids(label, bundle):
            return np.full(count, NO_PART, np.int32), np.zeros(count, np.float32)
        return name_parts(label, look.part_logits, look.centers, student_form(xyz, look.crop),
                          bundle)


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
