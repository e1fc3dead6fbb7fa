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

"""
What each parameter of the budget and of the output does, entered in ``EFFECTS``.

The controller is given a made-up clock, load and model of the latency, so that what it chooses is
known beforehand; all else is the node's.
"""

from effects_on_objects import at, effect, EFFECTS, FLAT, transform
from foundry_ros.budget import BudgetController
from foundry_ros.load import Load
from table_scene import BOXES, table_cloud
from tf2_ros import StaticTransformBroadcaster

__all__ = ['EFFECTS']


class MadeUp:
    """A model of the latency that does not learn: 20 ms a cloud, 1 ms a token and look."""

    budgets = [1, 2, 4, 8, 16, 32, 64]
    margin = 1.0

    def predict(self, work) -> float:
        """Expect so many milliseconds."""
        return 20 / work.thinning + work.looks * work.tokens

    def observe(self, *_):
        """Learn nothing."""

    outside = observe


class Controlled:
    """A bench whose controller runs by ``now`` and the load ``told``."""

    def __init__(self, bench):
        """Replace what measures."""
        self.now, self.told, self.bench, self._stamp = 0.0, Load(), bench, 0
        pipeline = bench.node._pipeline
        pipeline.controller = BudgetController({1: 1.0}, clock=lambda: self.now)
        pipeline.controller.model = MadeUp()
        pipeline.load.read = lambda: self.told

    def budget(self, seconds=10.0, cloud=None) -> int:
        """Let time pass and tell the tokens that the next cloud gets."""
        self.now += seconds
        self._stamp += 1
        return self.bench.send(at(cloud or table_cloud(), self._stamp), 'token_budget').data

    @property
    def frame(self):
        """Give the last results."""
        self.bench.wait(lambda: self.bench.node._record.frame.stamp == self._stamp * 10**9)
        return self.bench.node._record.frame


def controlled(name, **params):
    """Enter a test that is given a controlled bench."""
    def enter(test):
        @effect(name)
        def entered(make):
            given = {'tracks__refresh_s': 0.0, 'budget__target_latency_ms': 60000.0, **params}
            with make(topics=('token_budget',), **given) as bench:
                test(Controlled(bench), bench)
        return test
    return enter


@effect('token_budget')
def token_budget(make):
    """Use what was set, and with 0 what the controller chooses."""
    with make(topics=('detections', 'token_budget'), budget__max=16) as bench:
        for stamp, (budget, used) in enumerate(((8, 8), (64, 64), (0, 16))):
            bench.set('token_budget', budget)
            bench.node._pipeline.controller.plan = None
            assert bench.send(at(table_cloud(), stamp), 'token_budget').data <= used
            assert budget == 0 or bench.heard['token_budget'][-1].data == used


@controlled('budget.target_latency_ms')
def target_latency(controlled, bench):
    """Of 120 ms, 108 are kept to: 16 tokens for three objects, as 32 take 116."""
    assert controlled.budget() == 64
    bench.set('budget.target_latency_ms', 120.0)
    assert controlled.budget() == 16


@controlled('budget.target_load', budget__target_load=1.0)
def target_load(controlled, bench):
    """Others take half of the machine; the own 40 % have to come down to 20 %."""
    controlled.told = Load(0.9, 0.4)
    assert [controlled.budget(), controlled.budget()] == [64, 64]
    bench.set('budget.target_load', 0.75)
    assert controlled.budget() == 32


@controlled('budget.min', budget__target_latency_ms=1.0, tracks__enabled=False)
def least(controlled, bench):
    """However late it is."""
    assert controlled.budget() == 1
    bench.set('budget.min', 16)
    assert controlled.budget() == 16


@controlled('budget.max')
def largest(controlled, bench):
    """However much time there is."""
    assert controlled.budget() == 64
    bench.set('budget.max', 8)
    assert controlled.budget() == 8


@controlled('budget.dwell_s', budget__target_latency_ms=120.0, budget__dwell_s=600.0)
def dwell(controlled, bench):
    """With time to spare, the next step up comes when this has passed."""
    assert controlled.budget() == 16
    bench.set('budget.target_latency_ms', 60000.0)
    assert [controlled.budget(), controlled.budget()] == [16, 16]
    bench.set('budget.dwell_s', 5.0)
    assert controlled.budget() == 64


@controlled('budget.min_looks', budget__target_latency_ms=1.0, budget__min_looks=4)
def min_looks(controlled, bench):
    """Where nothing fits, as few objects are looked at as is allowed."""
    controlled.budget()
    assert controlled.frame.looks == len(BOXES)
    bench.set('budget.min_looks', 1)
    controlled.budget()
    assert controlled.frame.looks == 1


@controlled('budget.max_thinning', budget__target_latency_ms=1.0)
def max_thinning(controlled, bench):
    """Where nothing fits, clouds are thinned as much as is allowed."""
    for most in (2, 4, 1):
        bench.set('budget.max_thinning', most)
        controlled.budget(cloud=FLAT)
        controlled.budget(cloud=FLAT)
        assert controlled.frame.thinning == most


@effect('model.max_batch')
def max_batch(make):
    """Three objects go through the student in so many runs."""
    with make(tracks__refresh_s=0.0) as bench:
        student, sizes = bench.node._pipeline.student, []
        run = student._run

        def noted(groups, *rest):
            sizes.append(len(groups))
            return run(groups, *rest)
        student._run = noted
        bench.send(at(table_cloud(), 1))
        bench.set('model.max_batch', 2)
        bench.send(at(table_cloud(), 2))
        assert [n for n in sizes if n] == [3, 2, 1]


@effect('output.target_frame')
def target_frame(make):
    """Give the results in the frame that is set."""
    with make() as bench:
        assert bench.send(at(table_cloud(), 1)).header.frame_id == 'camera'
        bench.tf = StaticTransformBroadcaster(bench.peer)
        bench.tf.sendTransform(transform('table'))
        bench.set('output.target_frame', 'table')
        bench.wait(lambda: 'table' in bench.node._frames._buffer.all_frames_as_yaml(), 'tf')
        assert bench.send(at(table_cloud(), 2)).header.frame_id == 'table'


def switch(topic):
    """Enter a parameter that switches a topic off and on."""
    @effect(f'output.{topic}')
    def test(make):
        with make(topics=('detections', topic)) as bench:
            bench.send(at(table_cloud(), 1), topic)
            bench.set(f'output.{topic}', False)
            bench.send(at(table_cloud(), 2))
            bench.set(f'output.{topic}', True)
            bench.send(at(table_cloud(), 3), topic)
            assert len(bench.heard[topic]) == 2


switch('parts')
switch('markers')


@effect('output.alternatives')
def alternatives(make):
    """So many hypotheses an object."""
    with make(winner=None, model__score_threshold=0.0) as bench:
        def hypotheses(seconds):
            message = bench.send(at(table_cloud(), seconds))
            return {len(d.results) for d in message.detections}
        assert hypotheses(1) == {3}
        bench.set('output.alternatives', 1)
        assert hypotheses(2) == {1}


@effect('output.max_input_age')
def max_input_age(make):
    """Answer a cloud of 1970, then leave one out."""
    with make() as bench:
        bench.send(at(table_cloud(), 1))
        bench.set('output.max_input_age', 1.0)
        bench.offer(at(table_cloud(), 2))
        bench.wait(lambda: 'max_input_age' in bench.node._record.error, 'an error')
        assert len(bench.heard['detections']) == 1
