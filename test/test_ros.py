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

"""Runs the tests that need ROS 2 in a ROS 2 of this machine, where none is sourced."""

from xml.etree import ElementTree

import pytest
from ros_process import environment, HERE, NoRos, ROS_TESTS, run_tests, sourced

FILES = sorted(path.name for pattern in ROS_TESTS for path in HERE.glob(pattern))


@pytest.fixture(scope='module')
def variables(tmp_path_factory):
    """Give the environment of a ROS 2, or skip."""
    if sourced():
        pytest.skip('ROS 2 is sourced: the tests run by themselves')
    try:
        return environment(tmp_path_factory.mktemp('ros'))
    except NoRos as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize('name', FILES)
def test_with_ros(name, variables, tmp_path):
    """The tests of a file pass in ROS 2; skipped if all of them are."""
    report = tmp_path / 'report.xml'
    done = run_tests([name], variables, report)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-6000:]
    reasons = [item.get('message') for item in ElementTree.parse(report).iter('skipped')]
    if len(reasons) == len(list(ElementTree.parse(report).iter('testcase'))):
        pytest.skip('; '.join(sorted(set(reasons))))
