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
"""The controller on an imagined machine: on time, as many tokens as fit, and calm."""

from foundry_ros.budget import ALL, BudgetController, Plan
from foundry_ros.config import BudgetParams
from foundry_ros.latency import LatencyModel, Work
from foundry_ros.load import Load
import numpy as np
import pytest

MENU = (1, 2, 4, 8, 16, 32, 64)
STUDENT_MS = {budget: 2.0 + 0.125 * budget for budget in MENU}  # 10 ms for 64 tokens


class World:
    """A machine that takes its time, and clouds that come ten times a second."""

    def __init__(self, fixed=10.0, tokens=1.0, noise=0.0, params=None, outside=0.0):
        """Start at second 0."""
        self.now, self.slowdown = 0.0, 1.0
        self.fixed, self.tokens, self.noise = fixed, tokens, noise
        self.params = params or BudgetParams()
        self.controller = BudgetController(STUDENT_MS, clock=lambda: self.now)
        self.outside = outside
        self.rng = np.random.default_rng(0)

    def cloud(self, objects, load=Load(), due=None):
        """Work on one cloud; give its plan and the time it took."""
        due = objects if due is None else due
        self.controller.arrived(int(self.now * 1e9))
        thinning = self.controller.thinning
        plan = self.controller.choose(due, objects, self.params, load)
        looks = min(due, plan.looks)
        slow = self.slowdown * (1 + self.noise * self.rng.standard_normal())
        segment, tokens, student = (slow * ms for ms in (
            self.fixed / thinning ** 2, looks * self.tokens, looks * STUDENT_MS[plan.tokens]))
        total = segment + tokens + student
        self.controller.observe(Work(plan.tokens, looks, objects, thinning), {
            'crop': 0.0, 'segment': segment, 'tokens': tokens, 'student': student,
            'total': total})
        if self.outside:
            outside = self.outside * (1 + self.noise * abs(self.rng.standard_normal()))
            self.controller.model.outside(outside)
            total += outside
        self.now += 0.1
        return plan, total

    def run(self, clouds, objects, load=Load(), due=None):
        """Work on many; give their budgets and times."""
        plans, times = zip(*[self.cloud(objects, load, due) for _ in range(clouds)])
        return [plan.tokens for plan in plans], times


def test_all_tokens_when_there_is_room():
    """Two objects take 32 ms of 100: all tokens from the first cloud to the last."""
    budgets, _ = World().run(30, 2)
    assert set(budgets) == {64}


def test_most_tokens_that_meet_the_deadline():
    """Ten objects: 64 tokens would take 120 ms, 32 take 80, so 32 it is, at once."""
    budgets, times = World().run(60, 10)
    assert set(budgets[3:]) == {32}
    assert max(times[3:]) < 100


def test_down_quickly_up_slowly():
    """Three times slower: right within three clouds. Back again: up step by step, in seconds."""
    world = World()
    world.run(20, 4)
    world.slowdown = 3.0
    budgets, times = world.run(20, 4)
    assert max(times[3:]) < 100
    assert budgets[-1] == 16  # 30 + 12 + 48 = 90 ms, and 32 would take 114
    world.slowdown = 1.0
    budgets, _ = world.run(100, 4)
    steps = [MENU.index(b) - MENU.index(a) for a, b in zip(budgets, budgets[1:])]
    assert budgets[-1] == 64
    assert set(steps) <= {0, 1}
    raised = [i for i, step in enumerate(steps) if step]
    assert min(np.diff(raised), default=99) >= 10  # the dwell of one second


@pytest.mark.parametrize('objects', [1, 3, 5, 8, 12])
@pytest.mark.parametrize('slowdown', [1.0, 1.5, 2.5])
def test_no_oscillation_on_a_constant_load(objects, slowdown):
    """With ten per cent of noise the budget changes at most four times in a minute."""
    world = World(noise=0.1)
    world.slowdown = slowdown
    world.run(100, objects)
    budgets, _ = world.run(600, objects)
    assert sum(a != b for a, b in zip(budgets, budgets[1:])) <= 4


def test_what_is_no_risk_comes_back_at_once():
    """A machine ten times slower for long, and then free: all tokens again within two seconds."""
    world = World()
    world.slowdown = 10.0
    world.run(100, 2)
    assert world.controller.plan.tokens == 1
    world.slowdown = 1.0
    budgets, _ = world.run(40, 2)
    assert set(budgets[25:]) == {64}


def test_changing_number_of_objects():
    """A crowd is answered on time in the very cloud in which it comes, without pumping."""
    world = World()
    late, changes, last = 0, 0, None
    for i in range(300):
        plan, total = world.cloud(10 if i % 10 == 0 else 2)
        late += i > 20 and total > 100
        changes += i > 20 and plan != last
        last = plan
    assert late == 0
    assert changes <= 2


def test_one_outlier_changes_nothing():
    """A single cloud that took ten times as long is no reason to give up tokens."""
    world = World()
    world.run(20, 4)
    world.slowdown = 10.0
    world.cloud(4)
    world.slowdown = 1.0
    assert set(world.run(30, 4)[0]) == {64}


def test_tokens_are_not_given_up_for_nothing():
    """Where segmentation alone is too slow, fewer tokens would help nobody."""
    world = World(fixed=2000.0)
    budgets, _ = world.run(30, 1)
    assert min(budgets) == 64


def test_looks_are_given_up_after_tokens():
    """Thirty objects take 100 ms without any student: only some are looked at, on time."""
    world = World(fixed=10.0, tokens=3.0)
    _, times = world.run(40, 30)
    assert max(times[6:]) < 100
    plan = world.controller.plan
    assert 4 <= plan.looks < 30 and plan.thinning == 1


def test_points_are_given_up_last():
    """Segmentation takes 95 ms: thinned by two it takes a quarter, and there is room again."""
    world = World(fixed=95.0)
    budgets, times = world.run(100, 2)
    assert world.controller.plan == Plan(64, ALL, 2)
    assert np.mean(np.array(times[6:]) < 100) > 0.95
    world.fixed = 10.0
    world.run(40, 2)
    assert world.controller.plan == Plan(64, ALL, 1)
    assert world.controller.choose(2, 2, BudgetParams(target_latency_ms=1.0),
                                   coarsest=1).thinning == 1
    world = World(fixed=95.0, params=BudgetParams(max_thinning=1, min_looks=2))
    world.run(20, 8)
    plan = world.controller.plan
    assert (plan.looks, plan.thinning) == (2, 1) and plan.tokens <= 8


def test_everything_is_looked_at_where_nothing_is_followed():
    """Without tracks there is nothing that an object without a look could keep."""
    controller = BudgetController(STUDENT_MS)
    params = BudgetParams(target_latency_ms=1.0)
    for _ in range(5):
        controller.observe(Work(64, 9, 9), {'crop': 1, 'segment': 50, 'tokens': 20,
                                            'student': 90, 'total': 170})
    assert controller.choose(9, 9, params).looks < 9
    assert controller.choose(9, 9, params, tracked=False).looks == ALL


def test_hot_boards_are_not_pressed():
    """While the board throttles, nothing is raised."""
    world = World()
    world.slowdown = 3.0
    world.run(20, 4)
    world.slowdown = 1.0
    before = world.controller.plan
    world.run(60, 4, Load(throttled=True))
    assert world.controller.plan == before
    world.run(60, 4)
    assert world.controller.plan.tokens > before.tokens


def test_what_passes_outside_counts():
    """Waiting, decoding and publishing take 50 of 100 ms: less is left for tokens."""
    world = World(outside=50.0)
    assert set(world.run(20, 4)[0][6:]) == {32}


def test_noise_is_kept_clear_of():
    """Where clouds take half as long again now and then, all but a few are still on time."""
    for outside in (0.0, 20.0):
        _, times = World(noise=0.25, outside=outside).run(400, 6)
        assert np.mean(np.array(times[100:]) < 100) >= 0.95


def test_deadline_of_its_own_and_limits():
    """``target_latency_ms`` goes before the period; min and max bound the choice."""
    assert World(params=BudgetParams(target_latency_ms=30.0)).cloud(2)[0].tokens == 64
    world = World(params=BudgetParams(target_latency_ms=28.0))
    assert list(world.run(10, 2))[0][-1] == 32
    world = World(params=BudgetParams(min=4, max=16))
    assert set(list(world.run(20, 2))[0]) == {16}
    world = World(params=BudgetParams(min=4, max=16, target_latency_ms=1.0), fixed=0.0)
    assert set(list(world.run(20, 2))[0][3:]) == {4}
    assert World(params=BudgetParams(min=32, max=2)).cloud(1)[0].tokens == 2


@pytest.mark.parametrize('others, fewest, most', [(0.7, 4, 16), (0.3, 64, 64), (0.95, 1, 2)])
def test_load_of_others_takes_tokens_away(others, fewest, most):
    """What others use of the machine is not ours to use; the choice is calm, too."""
    world, total, budgets = World(), 0.0, []
    for _ in range(600):
        own = total / 100 / 2  # one of two cores, in turns
        plan, total = world.cloud(4, Load(cpu=min(others + own, 1.0), own=own))
        budgets.append(plan.tokens)
    assert fewest <= min(budgets[100:]) and max(budgets[100:]) <= most
    assert sum(a != b for a, b in zip(budgets[100:], budgets[101:])) <= 4


def test_period_of_the_input():
    """The median of the stamps, the same stamp once, and a recording that starts again."""
    controller = BudgetController(STUDENT_MS)
    assert controller.period_ms is None
    for stamp in (0, 100, 100, 200, 900, 1000, 1100):
        controller.arrived(int((10000 + stamp) * 1e6))
    assert controller.period_ms == 100
    for stamp in (0, 50):
        controller.arrived(int(stamp * 1e6))
    assert controller.period_ms == 50


def test_model_learns_the_ratio_of_budgets():
    """A machine on which few tokens save less than was measured is soon known."""
    truth = {1: 6.0, 64: 10.0}
    model = LatencyModel({1: 2.0, 64: 10.0})
    for budget in [1, 1, 1, 64, 64, 64] * 6:
        model.observe(Work(budget, 2, 2), {
            'crop': 1.0, 'segment': 4.0, 'tokens': 2.0, 'student': 2 * truth[budget],
            'total': 7.0 + 2 * truth[budget]})
    assert model.predict(Work(64, 2, 2)) == pytest.approx(27.0, rel=0.1)
    assert model.predict(Work(1, 2, 2)) == pytest.approx(19.0, rel=0.1)


def test_what_is_paid_once_is_not_expected_of_each_look():
    """Tokens take 4 ms and 1 an object, the student 6 and 2: twelve objects take 46 of both."""
    model = LatencyModel({16: 1.0})
    for looks in (1, 2, 4) * 10:
        tokens, student = 4.0 + looks, 6.0 + 2 * looks
        model.observe(Work(16, looks, looks), {
            'crop': 0.0, 'segment': 5.0, 'tokens': tokens, 'student': student,
            'total': 5.0 + tokens + student})
    assert model.predict(Work(16, 12, 12)) == pytest.approx(5 + 4 + 12 + 6 + 24, rel=0.05)
    assert model.predict(Work(16, 0, 12)) == pytest.approx(5, rel=0.05)


def test_lanes():
    """Two objects beside each other take as long as one, three as long as four."""
    model = LatencyModel({64: 10.0}, lanes=2)
    for looks in [1, 2, 3, 4] * 6:
        student = 10.0 * ((looks + 1) // 2)
        model.observe(Work(64, looks, looks), {
            'crop': 1.0, 'segment': 4.0, 'tokens': 2.0 * looks, 'student': student,
            'total': 5 + 2 * looks + student})
    assert [model.predict(Work(64, n, n)) for n in (1, 2, 3, 8)] == pytest.approx([17, 19, 31, 61])
    assert model.margin == pytest.approx(1.0)


def test_a_cloud_long_in_work_does_not_lose_the_period():
    """Twenty newer clouds may come in before one is done."""
    controller = BudgetController(STUDENT_MS)
    for i in range(21):
        controller.arrived(i * 100_000_000)
    controller.arrived(0)
    assert controller.period_ms == 100
