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
"""How long a cloud takes, learned from clouds: by budget, objects looked at, and thinning."""

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Dict, List, Mapping

import numpy as np

# What is left of the time of crop and segmentation where every nth row and column is taken.
CLOUD_FIXED = 0.1
# The margin is what this share of the clouds kept to, known after so many.
KEPT, KNOWN = 0.95, 30
WIDEST = 2.0
# How quickly the ratio of two settings follows what is seen when one takes over from the other.
CORRECTION = 0.3
# The first clouds pay for memory and caches; they tell nothing of those to come.
COLD = 3


@dataclass(frozen=True)
class Work:
    """
    What is done with a cloud.

    ``tokens`` an object, ``looks`` of the student, ``objects`` found, and ``thinning``: every
    nth row and column is taken.
    """

    tokens: int
    looks: int
    objects: int
    thinning: int = 1


class _Recent:
    """
    A running estimate that believes bad news at once and good news late.

    It is the larger of the medians of the last three and the last eleven values, so one outlier
    changes nothing.
    """

    def __init__(self, value: float):
        self._values = deque(maxlen=11)
        self.value = value

    def add(self, value: float):
        self._values.append(value)
        values = list(self._values)
        self.value = max(median(values[-3:]), median(values))


class _Scaled:
    """An estimate that depends on a setting by factors; what it follows is the time over them."""

    def __init__(self, factors: Mapping[int, float], value: float):
        self._factors: Dict[int, float] = {k: max(f, 1e-6) for k, f in factors.items()}
        self._recent = _Recent(value)
        self._last = None

    def add(self, setting: int, time: float):
        if setting not in self._factors:
            return
        if self._last is not None and self._last[0] != setting and self._last[1] > 0:
            learned = self._factors[self._last[0]] * time / self._last[1]
            self._factors[setting] += CORRECTION * (learned - self._factors[setting])
        self._last = (setting, time)
        self._recent.add(time / self._factors[setting])

    def factor(self, setting: int) -> float:
        return self._factors.get(setting, 1.0)

    def at(self, setting: int) -> float:
        return self._factors[setting] * self._recent.value


class _Shape:
    """
    How many times as long a count takes as one: a part that is paid once and a part for each.

    From the last counts and times, by the median of the slopes between them (Theil and Sen), so
    outliers change nothing; in proportion to the count until one twice as large was seen: the
    slopes between counts that are near are noise.
    """

    def __init__(self):
        self._counts, self._times = deque(maxlen=60), deque(maxlen=60)
        self._share = 1.0  # of the time of one that each further one adds

    def add(self, count: int, time: float):
        self._counts.append(count)
        self._times.append(time)
        counts, times = np.array(self._counts, float), np.array(self._times)
        larger, smaller = np.nonzero(counts[:, None] >= 2 * counts)
        if len(larger):
            slopes = (times[larger] - times[smaller]) / (counts[larger] - counts[smaller])
            each = max(float(np.median(slopes)), 0.0)
            one = float(np.median(times - each * (counts - 1)))
            self._share = min(each / one, 1.0) if one > 0 else 1.0

    def at(self, count: int) -> float:
        return 1 + self._share * (count - 1)


class LatencyModel:
    """
    total = outside + cloud[thinning] + looks tokens + rounds student[budget] + objects naming.

    Of tokens and student a part may be paid once, however many looks there are.

    ``cloud`` is crop and segmentation, ``naming`` also parts and tracks, ``outside`` what passes
    before and after: waiting, decoding, publishing; ``rounds`` are looks by lanes, rounded up.
    ``margin`` is how much longer than expected
    clouds take at worst, as a factor.
    """

    def __init__(self, student_ms: Mapping[int, float], lanes: int = 1, thinnings=range(1, 5)):
        """
        Start from a measurement.

        :param student_ms: milliseconds that one object takes in the student, by budget.
        :param lanes: objects that the student looks at beside each other.
        :param thinnings: that there may be.
        """
        self.budgets: List[int] = sorted(student_ms)
        self.margin = 1.0
        self._lanes = lanes
        self._student = _Scaled(student_ms, 1.0)
        self._cloud = _Scaled({n: CLOUD_FIXED + (1 - CLOUD_FIXED) / n ** 2 for n in thinnings},
                              0.0)
        self._tokens, self._naming, self._outside = _Recent(0.0), _Recent(0.0), _Recent(0.0)
        self._looks_shape, self._rounds_shape = _Shape(), _Shape()
        self._ratios = deque(maxlen=60)
        self._seen = 0

    def observe(self, work: Work, latency_ms: Mapping[str, float]):
        """Learn from a cloud; ``latency_ms`` as in :class:`foundry_ros.pipeline.Frame`."""
        self._seen += 1
        if self._seen <= COLD:
            return
        cloud = latency_ms['crop'] + latency_ms['segment']
        self._cloud.add(work.thinning, cloud)
        if work.looks:
            looks, rounds = work.looks, self._rounds(work.looks)
            self._looks_shape.add(looks, latency_ms['tokens'])
            self._tokens.add(latency_ms['tokens'] / self._looks_shape.at(looks))
            self._student.add(work.tokens, latency_ms['student'] / self._rounds_shape.at(rounds))
            self._rounds_shape.add(rounds, latency_ms['student']
                                   / self._student.factor(work.tokens))
        if work.objects:
            rest = latency_ms['total'] - cloud - latency_ms['tokens'] - latency_ms['student']
            self._naming.add(rest / work.objects)
        # compared with what is known now: of a change that lasts, only the first cloud surprises
        self._last = latency_ms['total'], self._inside(work)
        self._ratios.append(latency_ms['total'] / max(self._last[1], 1e-6))
        self._update_margin()

    def outside(self, milliseconds: float):
        """Learn what passed before and after the work on the cloud observed last."""
        if self._seen <= COLD:
            return
        self._outside.add(milliseconds)
        took, expected = self._last
        self._ratios[-1] = (took + milliseconds) / max(expected + self._outside.value, 1e-6)
        self._update_margin()

    def predict(self, work: Work) -> float:
        """Expect the time of a cloud in milliseconds."""
        return self._outside.value + self._inside(work)

    def _inside(self, work):
        looked = 0.0
        if work.looks:
            rounds = self._rounds_shape.at(self._rounds(work.looks))
            looked = (self._looks_shape.at(work.looks) * self._tokens.value
                      + rounds * self._student.at(work.tokens))
        return self._cloud.at(work.thinning) + looked + work.objects * self._naming.value

    def _rounds(self, looks):
        return -(-looks // self._lanes)

    def _update_margin(self):
        """Take what all but a few clouds kept to."""
        if len(self._ratios) >= KNOWN:
            ratios = sorted(self._ratios)
            kept = ratios[min(int(KEPT * len(ratios)), len(ratios) - 1)]
            self.margin = min(max(kept, 1.0), WIDEST)
