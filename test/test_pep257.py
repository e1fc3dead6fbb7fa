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

"""The docstrings follow the ROS 2 style."""

from ament_pep257.main import main
import pytest


@pytest.mark.linter
@pytest.mark.pep257
def test_pep257(capfd):
    """What runs on the robot passes ament_pep257."""
    code = main(argv=['foundry_ros', 'launch', 'test', 'setup.py'])
    said = capfd.readouterr().err.splitlines()
    assert code == 0, '\n'.join(line for line in said if not line.startswith('checking'))
