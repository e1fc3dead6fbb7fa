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

"""The node's states: what is loaded, subscribed and published in each."""

import gc
from types import SimpleNamespace
import weakref

from diagnostic_msgs.msg import DiagnosticStatus
from foundry_ros.nodes import perception_node
from foundry_ros.nodes.lifecycle import told
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from mock_bundle import make_bundle
import psutil
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from ros_bench import Bench, cloud_message, NAME
from table_scene import table_cloud

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Give a model with random weights."""
    return make_bundle(tmp_path_factory.mktemp('bundle'), winner=3)


def test_nothing_is_loaded_before_configure(bundle):
    """Unconfigured: no model, no topics; inactive: topics, but no input."""
    with Bench(bundle, topics=()) as bench:
        node = bench.node
        assert node._pipeline is None and not node.count_publishers(f'{NAME}/detections')
        assert node.trigger_configure() == SUCCESS
        assert node._pipeline is not None
        bench.wait(lambda: node.count_publishers(f'{NAME}/detections'))
        assert not node.count_subscribers(f'{NAME}/input')
        assert node.trigger_activate() == SUCCESS
        bench.wait(lambda: node.count_subscribers(f'{NAME}/input') == 1)


def test_a_missing_model_is_told_in_one_line(tmp_path, capfd):
    """Configuring fails, the node stays and can be asked again."""
    with Bench(tmp_path / 'none', topics=()) as bench:
        assert bench.node.trigger_configure() == FAILURE
        said = capfd.readouterr().err
        assert 'there is no model bundle at' in said and 'Traceback' not in said
        make_bundle(tmp_path / 'none')
        assert bench.node.trigger_configure() == SUCCESS


def test_a_budget_that_the_model_does_not_offer(tmp_path, capfd):
    """Not even at the start: the menu of the model is named."""
    small = make_bundle(tmp_path, manifest={'token_budgets': [1, 4, 16]})
    with Bench(small, topics=(), token_budget=8) as bench:
        assert bench.node.trigger_configure() == FAILURE
        assert 'follow the load), 1, 4, 16, not 8' in capfd.readouterr().err


def test_off_and_on_again(bundle):
    """Deactivated nothing is published; all the way down and up again it works as before."""
    with Bench(bundle) as bench:
        bench.activate().send(table_cloud(stamp=1))
        assert bench.node.trigger_deactivate() == SUCCESS
        bench.wait(lambda: not bench.node.count_subscribers(f'{NAME}/input'))
        bench.cloud.publish(cloud_message(table_cloud(stamp=2)))
        assert bench.node.trigger_cleanup() == SUCCESS
        assert bench.node._pipeline is None
        bench.wait(lambda: not bench.peer.count_publishers(f'{NAME}/detections'))
        bench.activate().send(table_cloud(stamp=3))
        assert [m.header.stamp.nanosec for m in bench.heard['detections']] == [1, 3]
        assert bench.node.trigger_shutdown() == SUCCESS
        assert bench.node._pipeline is None


def test_what_is_left_after_many_lives(bundle):
    """Configured, at work and cleaned up again and again: nothing adds up."""
    def held():
        gc.collect()
        process, node = psutil.Process(), bench.node
        owned = (node.timers, node.subscriptions, node.publishers, node.services, node.waitables)
        return (process.num_fds(), process.num_threads(),
                *(len(list(entities)) for entities in owned), len(node._managed_entities))
    with Bench(bundle, tracks__frame='camera') as bench:
        before, memory = None, 0
        for i in range(40):
            bench.activate().send(table_cloud(stamp=i))
            assert bench.node._frames._buffer is not None
            session = weakref.ref(bench.node._pipeline.student._session)
            assert bench.node.trigger_deactivate() == SUCCESS
            assert bench.node.trigger_cleanup() == SUCCESS
            if i == 9:
                before, memory = held(), psutil.Process().memory_info().rss
            gc.collect()
            assert session() is None and bench.node._frames._buffer is None
            bench.heard['detections'].clear()
        assert held() == before
        assert psutil.Process().memory_info().rss - memory < 5e6


@pytest.mark.parametrize('transition', ['configure', 'activate', 'deactivate', 'cleanup'])
def test_an_error_in_a_transition(bundle, capfd, transition, monkeypatch):
    """It is told in full; everything is given back, and the node can start anew."""
    breaks = {'configure': ('load_bundle', perception_node), 'activate': ('_publish_info', None),
              'deactivate': ('_stop', None), 'cleanup': ('destroy_lifecycle_publisher', None)}
    with Bench(bundle) as bench:
        path = {'configure': [], 'activate': ['configure'],
                'deactivate': ['configure', 'activate'], 'cleanup': ['configure']}[transition]
        for step in path:
            assert getattr(bench.node, f'trigger_{step}')() == SUCCESS
        name, owner = breaks[transition]
        owner = owner or bench.node
        whole = getattr(owner, name)

        def fails(*args):
            monkeypatch.setattr(owner, name, whole)
            raise OSError('deliberate')
        monkeypatch.setattr(owner, name, fails)
        assert getattr(bench.node, f'trigger_{transition}')() == TransitionCallbackReturn.ERROR
        assert 'OSError: deliberate' in capfd.readouterr().err
        assert bench.call(GetState, 'get_state').current_state.label == 'unconfigured'
        assert bench.node._pipeline is None and bench.node._input is None
        bench.activate().send(table_cloud(stamp=3))


def test_an_end_in_the_midst_of_a_transition():
    """Ctrl-C while the model loads is no error to tell of."""
    ended = SimpleNamespace(context=SimpleNamespace(ok=lambda: False))  # has no logger

    def load(node, state):
        raise RuntimeError('the context is invalid')
    assert told(load)(ended, None) == TransitionCallbackReturn.ERROR


def test_an_impossible_transition_is_refused(bundle, capfd):
    """Whoever asks gets an answer, and the node goes on."""
    with Bench(bundle) as bench:
        for transition in (Transition(id=Transition.TRANSITION_ACTIVATE), Transition(id=250),
                           Transition(label='activate')):
            assert not bench.call(ChangeState, 'change_state', transition=transition).success
        assert 'asked for the transition 250, which is not possible now' in (
            capfd.readouterr().err)
        bench.activate().send(table_cloud(stamp=1))


def test_what_the_machine_does_not_tell_is_named(bundle, capfd, monkeypatch):
    """Once, when the node is configured."""
    class Blind(perception_node.LoadMonitor):
        """A machine of which little is known."""

        def __init__(self):
            """Miss two sources."""
            super().__init__()
            self.missing = ('GPU load', 'temperature')
    monkeypatch.setattr(perception_node, 'LoadMonitor', Blind)
    with Bench(bundle) as bench:
        bench.activate().send(table_cloud(stamp=1))
        assert capfd.readouterr().err.count('does not tell: GPU load, temperature') == 1


def test_diagnostics(bundle):
    """They say what the node does, with which model, how long it takes and what went wrong."""
    with Bench(bundle, topics=('detections', '/diagnostics'), token_budget=4) as bench:
        def status():
            told = bench.heard['/diagnostics']
            return told[-1].status[0] if told else DiagnosticStatus()
        bench.wait(lambda: status().message == 'not configured')
        bench.activate().send(table_cloud(stamp=1))
        bench.wait(lambda: status().message == 'working')
        values = {item.key: item.value for item in status().values}
        assert status().level == DiagnosticStatus.OK
        assert values['model'] == 'mock 1.0' and values['token budget'] == '4'
        assert values['why this budget'] == 'set by token_budget'
        assert values['objects'] == '3' and float(values['latency total [ms]']) > 0
        assert values['execution providers'] == 'CPUExecutionProvider'
        broken = cloud_message(table_cloud())
        broken.width = 10**6
        bench.cloud.publish(broken)
        bench.wait(lambda: status().level == DiagnosticStatus.ERROR)
        assert 'row_step' in status().message
