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
"""Tokens, looks and points for the next cloud: as much as deadline and load allow."""

from collections import deque
from dataclasses import dataclass
from statistics import median
import time
from typing import Callable, List, Mapping, Optional

from foundry_ros.config import BudgetParams
from foundry_ros.latency import LatencyModel, Work
from foundry_ros.load import Load

# A plan is kept while it is expected to take this share of the deadline, and left for a better
# one that takes less than the lower share: the gap between the two is the hysteresis.
KEEP, RAISE = 0.9, 0.7
# What is expected to take less than this share is no risk: the load has gone.
EASY = 0.5
# The same gap for the load of the machine, in shares of it.
LOAD_GAP = 0.1
# Seconds until a reading of the load shows the last change, see LoadMonitor's window.
SETTLE = 2.5
LONGEST_PATIENCE = 32
# Where nothing fits, quality is given up only if that saves more than this share of the time.
NOT_WORTH = 0.02
# Nanoseconds; a stamp that is farther behind is no late cloud: the clock went back.
LATE = 5_000_000_000
# More objects than a cloud can have: all of them are looked at.
ALL = 1000


@dataclass(frozen=True)
class Plan:
    """
    What a cloud gets.

    ``tokens`` an object; at most ``looks`` objects are looked at (``ALL`` = no limit); every
    ``thinning``-th row and column of the cloud is taken, or voxels are so many times as large.
    """

    tokens: int
    looks: int = ALL
    thinning: int = 1

    @property
    def quality(self):
        """Order plans: tokens are given up first, then looks, then points."""
        return -self.thinning, self.looks, self.tokens

    def work(self, due: int, objects: int) -> Work:
        """Tell what is done with a cloud where ``due`` of its objects are to be looked at."""
        return Work(self.tokens, min(due, self.looks), objects, self.thinning)

    def __str__(self):
        """Give it in a few words."""
        looks = 'all objects' if self.looks == ALL else f'at most {self.looks} objects'
        thinning = '' if self.thinning == 1 else f', thinned by {self.thinning}'
        return f'{self.tokens} tokens for {looks}{thinning}'


class BudgetController:
    """
    Follows the load: quickly down when clouds would be late, slowly up when there is room.

    ``plan`` is the last choice (None before the first), ``reason`` says why in words.
    """

    def __init__(self, student_ms: Mapping[int, float], lanes: int = 1,
                 clock: Callable[[], float] = time.monotonic):
        """
        Start without a choice.

        :param student_ms: milliseconds that one object takes, by budget.
        :param lanes: objects that the student looks at beside each other.
        :param clock: seconds, never going back.
        """
        self.model = LatencyModel(student_ms, lanes)
        self.plan: Optional[Plan] = None
        self.reason = ''
        self._clock = clock
        self._stamps = deque(maxlen=16)
        self._due, self._objects = deque(maxlen=16), deque(maxlen=16)
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

    def observe(self, work: Work, latency_ms: Mapping[str, float]):
        """Learn from a finished cloud."""
        self.model.observe(work, latency_ms)

    @property
    def thinning(self) -> int:
        """Tell how the next cloud is to be thinned, before anything is known of it."""
        return self.plan.thinning if self.plan else 1

    def choose(self, due: int, objects: int, params: BudgetParams, load: Load = Load(),
               tracked: bool = True, coarsest: int = 4) -> Plan:
        """
        Choose what a cloud gets; the thinning is that of the next one.

        :param due: how many objects are to be looked at.
        :param objects: how many there are.
        :param load: of the machine; what is not known is left out.
        :param tracked: whether objects can go without a look.
        :param coarsest: the largest thinning that such clouds allow.
        :return: with tokens of the menu within ``params.min`` and ``params.max``.
        """
        now = self._clock()
        self._due.append(due)
        self._objects.append(objects)
        deadline = params.target_latency_ms or self.period_ms
        settled = load.cpu is None or now - self._changed_at >= SETTLE
        fit = _Fit(self.model, self.plan, deadline, load if settled else Load(),
                   params.target_load)
        plans = self._plans(params, tracked, min(coarsest, params.max_thinning))
        fitting = [p for p in plans if fit(p, due, objects, KEEP, 0.0)]
        wanted = fitting[-1] if fitting else self._cheapest(plans, due, objects)
        if self.plan not in plans:
            self._change(wanted, now)
        elif wanted.quality < self.plan.quality:
            self._lower(wanted, now, params)
        elif (wanted.quality > self.plan.quality and settled and not load.throttled
                and now - self._changed_at >= params.dwell_s):
            self._raise(plans, fit, now, params.dwell_s * self._patience)
        self.reason = self._words(due, objects, deadline)
        return self.plan

    def _plans(self, params, tracked, coarsest) -> List[Plan]:
        """List what there is to choose from, the best last."""
        budgets = self.model.budgets
        menu = [b for b in budgets if params.min <= b <= params.max]
        menu = menu or [min(budgets, key=lambda b: abs(b - params.max))]
        looks = [n for n in (1, 2, 4, 8, 16) if n >= params.min_looks] if tracked else []
        plans = [Plan(b, n, t) for t in range(1, coarsest + 1)
                 for n in (*looks, ALL) for b in menu]
        return sorted(plans, key=lambda plan: plan.quality)

    def _cheapest(self, plans, due, objects):
        """Give the best plan that costs hardly more than the cheapest one."""
        costs = [self.model.predict(plan.work(due, objects)) for plan in plans]
        least = min(costs) * (1 + NOT_WORTH) + 1e-9
        return [plan for plan, cost in zip(plans, costs) if cost <= least][-1]

    def _lower(self, plan, now, params):
        """Step down; when a step up did not last, wait longer before the next one."""
        short_lived = now - self._raised_at < 10 * params.dwell_s * self._patience
        self._patience = min(2 * self._patience, LONGEST_PATIENCE) if short_lived else 1
        self._change(plan, now)

    def _raise(self, plans, fit, now, patience):
        """
        Step up where there is room for the worst of the last clouds.

        At once as far as is no risk; beyond, after some time, and one step of tokens.
        """
        due, objects = max(self._due), max(self._objects)
        better = [p for p in plans if p.quality > self.plan.quality]
        easy = [p for p in better if fit(p, due, objects, EASY, LOAD_GAP)]
        if easy:
            self._change(easy[-1], now)
            return
        room = [p for p in better if fit(p, due, objects, RAISE, LOAD_GAP)]
        if not room or now - self._changed_at < patience:
            return
        best, budgets = room[-1], self.model.budgets
        step = budgets[min(budgets.index(self.plan.tokens) + 1, len(budgets) - 1)]
        same = (best.looks, best.thinning) == (self.plan.looks, self.plan.thinning)
        tokens = min(best.tokens, step if same else self.plan.tokens)
        self._raised_at = now
        self._change(Plan(tokens, best.looks, best.thinning), now)

    def _change(self, plan, now):
        self.plan, self._changed_at = plan, now

    def _words(self, due, objects, deadline):
        expected = self.model.predict(self.plan.work(due, objects))
        allowed = 'no deadline known' if deadline is None else f'{deadline:.0f} ms allowed'
        return (f'{objects} objects, {due} to look at, {self.plan}: {expected:.0f} ms expected, '
                f'{expected * self.model.margin:.0f} at worst, {allowed}')


@dataclass(frozen=True)
class _Fit:
    """Whether a plan keeps both deadline and load."""

    model: LatencyModel
    current: Optional[Plan]
    deadline: Optional[float]
    load: Load
    target_load: float

    def __call__(self, plan, due, objects, share, gap) -> bool:
        expected = self.model.predict(plan.work(due, objects))
        if self.deadline is not None and expected * self.model.margin > share * self.deadline:
            return False
        if self.load.cpu is None or self.load.own is None or self.current is None:
            return True
        now = max(self.model.predict(self.current.work(due, objects)), 1e-6)
        share = self.load.own * expected / now
        return self.load.cpu - self.load.own + share <= self.target_load - gap
