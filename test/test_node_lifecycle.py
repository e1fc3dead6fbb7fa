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

from diagnostic_msgs.msg import DiagnosticStatus
from mock_bundle import make_bundle
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
