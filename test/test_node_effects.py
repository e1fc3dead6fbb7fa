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

"""Every parameter by its effect: what is set through ROS holds from the next cloud on."""

from effects_on_node import EFFECTS
from foundry_ros.config import table
from mock_bundle import make_bundle
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_bench import Bench, cloud_message

TABLE = table()
DYNAMIC = [name for name, (_, metadata) in TABLE.items() if not metadata['read_only']]
RANGED = [name for name in DYNAMIC
          if TABLE[name][1]['low'] is not None or TABLE[name][1]['choices'] is not None]


class Told(Bench):
    """A bench that sets parameters as others do: by the service."""

    def ask(self, name, value):
        """Set a parameter and give the result."""
        request = [Parameter(name, value=value).to_parameter_msg()]
        return self.call(SetParameters, 'set_parameters', parameters=request).results[0]

    def set(self, name, value):  # noqa: A003 as in ros2 param set
        """Set a parameter that has to be taken."""
        result = self.ask(name, value)
        assert result.successful, result.reason

    def offer(self, cloud):
        """Publish a cloud of which no answer is expected."""
        self.cloud.publish(cloud_message(cloud))


@pytest.fixture
def make(tmp_path):
    """Give a function that makes a node at work."""
    def made(manifest=None, topics=('detections',), winner=3, **params):
        bundle = make_bundle(tmp_path / str(len(list(tmp_path.iterdir()))), manifest,
                             winner=winner)
        return Told(bundle, topics, **params).activate()
    return made


@pytest.mark.parametrize('name', DYNAMIC)
def test_effect(name, make):
    """It holds from the next cloud on; a parameter without such a test fails here."""
    assert name in EFFECTS, f'what {name} does belongs in effects_on_*.py'
    EFFECTS[name](make)


def test_there_are_no_effects_of_parameters_that_are_gone():
    """The list is the table's."""
    assert set(EFFECTS) == set(DYNAMIC)


def test_values_out_of_range_are_refused(make):
    """Below and above, and what is not among the choices: the reason says what would be right."""
    with make(topics=()) as bench:
        before = bench.node.params
        for name in RANGED:
            default, metadata = TABLE[name]
            if metadata['choices'] is not None:
                wrong = ['nonsense' if isinstance(default, str) else 5]
                right = [str(choice) for choice in metadata['choices']]
            else:
                wrong = [metadata['low'] - 1, metadata['high'] + 1]
                right = [str(metadata['high'])]
            for value in wrong:
                result = bench.ask(name, type(default)(value))
                assert not result.successful and name in result.reason, (name, result.reason)
                assert all(text in result.reason for text in right), (name, result.reason)
        assert bench.node.params == before


def test_fixed_ones_say_so(make):
    """A read-only parameter is refused, and the reason says that it is one."""
    with make(topics=()) as bench:
        for name in set(TABLE) - set(DYNAMIC):
            result = bench.ask(name, bench.node.get_parameter(name).value)
            assert not result.successful and 'read-only' in result.reason, (name, result.reason)
