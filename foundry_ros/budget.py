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
"""Which token budget the next cloud gets: as many tokens as deadline and load allow."""

from collections import deque
from statistics import median
import time
from typing import Callable, Dict, List, Mapping, Optional

from foundry_ros.config import BudgetParams
from foundry_ros.load import Load

# A budget is kept while it is expected to take this share of the deadline, and raised to where
# it takes less than the lower share: the gap between the two is the hysteresis.
KEEP, RAISE = 0.9, 0.75
# The same gap for the load of the machine, in shares of it.
LOAD_GAP = 0.1
# Seconds until a reading of the load shows the last change, see LoadMonitor's window.
SETTLE = 2.5
LONGEST_PATIENCE = 32
# Where nothing fits, tokens are given up only if that saves more than this share of the time.
NOT_WORTH = 0.02
# Nanoseconds; a stamp that is farther behind is no late cloud: the clock went back.
LATE = 5_000_000_000


class _Recent:
    """
    A running estimate that believes bad news at once and good news late.

    It is the larger of the medians of the last three and the last eleven values, so one outlier
    changes nothing.
    """

    def __init__(self):
        self._values = deque(maxlen=11)

    def add(self, value: float):
        self._values.append(value)

    def value(self, default: float) -> float:
        if not self._values:
            return default
        values = list(self._values)
        return max(median(values[-3:]), median(values))


class LatencyModel:
    """
    How long a cloud with n objects takes at each budget, learned from clouds.

    total = cloud + n (object + slowdown * student[budget]), where ``cloud`` is crop and
    segmentation and ``object`` tokens, parts and the rest. All three are followed, and the ratio
    between two budgets is corrected whenever the budget changes.
    """

    def __init__(self, student_ms: Mapping[int, float]):
        """
        Start from a measurement.

        :param student_ms: milliseconds that one object takes in the student, by budget.
        """
        self._student: Dict[int, float] = {b: max(ms, 1e-6) for b, ms in student_ms.items()}
        self._cloud, self._object, self._slowdown = _Recent(), _Recent(), _Recent()
        self._last = None

    @property
    def budgets(self) -> List[int]:
        """List the menu, smallest first."""
        return sorted(self._student)

    def observe(self, budget: int, objects: int, latency_ms: Mapping[str, float]):
        """Learn from a cloud; ``latency_ms`` as in :class:`foundry_ros.pipeline.Frame`."""
        cloud, student = latency_ms['crop'] + latency_ms['segment'], latency_ms['student']
        self._cloud.add(cloud)
        if objects == 0 or budget not in self._student:
            return
        each = student / objects
        if self._last is not None and self._last[0] != budget and self._last[1] > 0:
            ratio = each / self._last[1]
            learned = self._student[self._last[0]] * ratio
            self._student[budget] += 0.3 * (learned - self._student[budget])
        self._last = (budget, each)
        self._object.add((latency_ms['total'] - cloud - student) / objects)
        self._slowdown.add(each / self._student[budget])

    def predict(self, budget: int, objects: int) -> float:
        """Expect the time of a cloud in milliseconds."""
        student = self._student[budget] * self._slowdown.value(1.0)
        return self._cloud.value(0.0) + objects * (self._object.value(0.0) + student)


class BudgetController:
    """
    Follows the load: quickly down when clouds would be late, slowly up when there is room.

    ``budget`` is the last choice (None before the first), ``reason`` says why in words.
    """

    def __init__(self, student_ms: Mapping[int, float],
                 clock: Callable[[], float] = time.monotonic):
        """
        Start without a choice.

        :param student_ms: milliseconds that one object takes, by budget.
        :param clock: seconds, never going back.
        """
        self.model = LatencyModel(student_ms)
        self.budget: Optional[int] = None
        self.reason = ''
        self._clock = clock
        self._stamps = deque(maxlen=16)
        self._counts = deque(maxlen=16)
        self._changed_at = self._raised_at = -float('inf')
        self._patience = 1

    def arrived(self, stamp: int):
        """
        Note that a cloud came in, whether or not it is worked on; twice the same is once.

        :param stamp: of the cloud, nanoseconds.
        """
        behind = self._stamps[-1] - stamp if self._stamps else -1
        if 0 <= behind < LATE:  # known already, or long in work while newer ones came in
            return
        if behind > 0:
            self._stamps.clear()  # the clock went back: a recording that starts again
        self._stamps.append(stamp)

    @property
    def period_ms(self) -> Optional[float]:
        """Give the median time between clouds, None before there are two."""
        stamps = list(self._stamps)
        if len(stamps) < 2:
            return None
        return median(b - a for a, b in zip(stamps, stamps[1:])) / 1e6

    def observe(self, budget: int, objects: int, latency_ms: Mapping[str, float]):
        """Learn from a finished cloud."""
        self.model.observe(budget, objects, latency_ms)

    def choose(self, objects: int, params: BudgetParams, load: Load = Load()) -> int:
        """
        Choose the budget of a cloud.

        :param objects: how many objects it has.
        :param load: of the machine; what is not known is left out.
        :return: one of the menu within ``params.min`` and ``params.max``.
        """
        now = self._clock()
        self._counts.append(objects)
        menu = [b for b in self.model.budgets if params.min <= b <= params.max]
        menu = menu or [min(self.model.budgets, key=lambda b: abs(b - params.max))]
        deadline = params.target_latency_ms or self.period_ms
        settled = load.cpu is None or now - self._changed_at >= SETTLE
        load = load if settled else Load()
        fitting = [b for b in menu if self._fits(b, objects, deadline, load, params, KEEP, 0.0)]
        wanted = max(fitting) if fitting else self._cheapest(menu, objects)
        if self.budget not in menu:
            self._change(wanted, now)
        elif wanted < self.budget:
            self._lower(wanted, now, params)
        elif (wanted > self.budget and settled
                and now - self._changed_at >= params.dwell_s * self._patience):
            upper = menu[menu.index(self.budget) + 1]
            if self._fits(upper, max(self._counts), deadline, load, params, RAISE, LOAD_GAP):
                self._raised_at = now
                self._change(upper, now)
        self.reason = self._words(objects, deadline)
        return self.budget

    def _fits(self, budget, objects, deadline, load, params, share, gap):
        """Tell whether a budget keeps both deadline and load."""
        expected = self.model.predict(budget, objects)
        if deadline is not None and expected > share * deadline:
            return False
        if load.cpu is None or load.own is None or self.budget is None:
            return True
        current = max(self.model.predict(self.budget, objects), 1e-6)
        return load.cpu - load.own + load.own * expected / current <= params.target_load - gap

    def _cheapest(self, menu, objects):
        """Give the largest budget that costs hardly more than the smallest one."""
        least = self.model.predict(menu[0], objects)
        return max(b for b in menu
                   if self.model.predict(b, objects) <= least * (1 + NOT_WORTH) + 1e-9)

    def _lower(self, budget, now, params):
        """Step down; when a step up did not last, wait longer before the next one."""
        short_lived = now - self._raised_at < 10 * params.dwell_s * self._patience
        self._patience = min(2 * self._patience, LONGEST_PATIENCE) if short_lived else 1
        self._change(budget, now)

    def _change(self, budget, now):
        self.budget, self._changed_at = budget, now

    def _words(self, objects, deadline):
        expected = self.model.predict(self.budget, objects)
        allowed = 'no deadline known' if deadline is None else f'{deadline:.0f} ms allowed'
        return f'{objects} objects: {expected:.0f} ms expected, {allowed}'
