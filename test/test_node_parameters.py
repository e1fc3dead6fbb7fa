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

"""The node's parameters: declared from the table and checked; effects: test_node_effects.py."""

import os
import subprocess
import sys

from foundry_ros.config import table, TOKEN_BUDGETS
from mock_bundle import make_bundle
import pytest
from rclpy.parameter import Parameter
from ros_bench import Bench
from table_scene import table_cloud


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Give a model with random weights."""
    return make_bundle(tmp_path_factory.mktemp('bundle'), winner=3)


def test_every_parameter_is_declared_as_in_the_table(bundle):
    """Name, default, description, range and whether it is fixed."""
    given = ('model.path', 'model.threads', 'output.input_reliability')
    with Bench(bundle, topics=()) as bench:
        for name, (default, metadata) in table().items():
            told = bench.node.describe_parameter(name)
            if name not in given:
                assert bench.node.get_parameter(name).value == default
            assert told.description == metadata['description'] != ''
            assert told.read_only == metadata['read_only']
            ranges = list(told.floating_point_range) + list(told.integer_range)
            if metadata['choices'] is not None:
                assert str(metadata['choices'][-1]) in told.additional_constraints
            elif metadata['low'] is not None:
                assert (ranges[0].from_value, ranges[0].to_value) == (metadata['low'],
                                                                      metadata['high'])


def put(bench, name, value):
    """Set a parameter and give the result."""
    return bench.node.set_parameters([Parameter(name, value=value)])[0]


def test_the_budget_changes_from_the_next_cloud_on(bundle):
    """Each value of the menu is used; another is refused and the menu named."""
    with Bench(bundle, ('detections', 'token_budget')) as bench:
        bench.activate()
        for stamp, budget in enumerate(TOKEN_BUDGETS):
            assert put(bench, 'token_budget', budget).successful
            assert bench.send(table_cloud(stamp=stamp), 'token_budget').data == budget
        refused = put(bench, 'token_budget', 3)
        assert not refused.successful and '0, 1, 2, 4, 8, 16, 32, 64' in refused.reason
        assert bench.node.get_parameter('token_budget').value == TOKEN_BUDGETS[-1]
        assert put(bench, 'token_budget', 0).successful
        assert bench.send(table_cloud(stamp=99), 'token_budget').data in TOKEN_BUDGETS


def test_a_whole_number_is_a_distance(bundle):
    """3 is as good as 3.0."""
    with Bench(bundle, topics=()) as bench:
        assert put(bench, 'crop.max_range', 3).successful
        assert bench.node.params.crop.max_range == 3.0


def test_the_threshold_is_told_anew(bundle):
    """Below it everything is unknown, and those who look ids up are told."""
    with Bench(bundle, ('detections', 'label_info'), tracks__enabled=False) as bench:
        bench.activate()
        bench.wait(lambda: bench.heard['label_info'])
        assert put(bench, 'model.score_threshold', 1.0).successful
        bench.wait(lambda: bench.heard['label_info'][-1].threshold == 1.0)


@pytest.mark.parametrize('name, value, reason', [
    ('crop.max_range', 1e9, 'range'), ('crop.max_range', 'far', 'takes a float'),
    ('crop.up', 'sideways', '0,-1,0'), ('objects.mode', 'kitchen', 'tabletop, room, lidar'),
    ('model.path', '/tmp', 'read-only'), ('budget.min', 5, 'one of 1, 2, 4'),
    ('token_budget', 4.0, 'DOUBLE')])
def test_wrong_values_are_refused(bundle, name, value, reason):
    """The reason says what would be right; nothing changes."""
    with Bench(bundle, topics=()) as bench:
        before = bench.node.params
        refused = put(bench, name, value)
        assert not refused.successful and reason in refused.reason
        assert bench.node.params == before


def test_a_parameter_that_does_not_exist(bundle, capfd):
    """It is told with the nearest name, and the node goes on: the file may be for others too."""
    with Bench(bundle, topics=(), crop__mx_range=1.0):
        said = capfd.readouterr().err
    assert "no parameter 'crop.mx_range'" in said and "did you mean 'crop.max_range'" in said


@pytest.mark.parametrize('given, said', [
    ('token_budget:=7', 'token_budget takes one of 0, 1, 2'),
    ('crop.max_range:=far', 'crop.max_range takes a float'),
    ('crop.up:=left', 'crop.up takes auto')])
def test_a_wrong_value_at_the_start(given, said):
    """One line and a failure."""
    done = subprocess.run([sys.executable, '-m', 'foundry_ros.nodes.start', '--ros-args',
                           '-p', given], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_package_that_is_missing_is_told_with_the_command(tmp_path):
    """Started by a Python without onnxruntime: one line that says what to run."""
    (tmp_path / 'onnxruntime.py').write_text(
        'raise ModuleNotFoundError("No module named onnxruntime", name="onnxruntime")')
    path = os.pathsep.join([str(tmp_path), os.environ['PYTHONPATH']])
    done = subprocess.run([sys.executable, '-m', 'foundry_ros.nodes.start'], capture_output=True,
                          text=True, timeout=60, env={**os.environ, 'PYTHONPATH': path})
    assert done.returncode == 1 and f'{sys.executable} -m pip install' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
