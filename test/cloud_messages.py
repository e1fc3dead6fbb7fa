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

"""PointCloud2 messages without ROS, and where the recordings from outside the repository are."""

from pathlib import Path
from types import SimpleNamespace

from foundry_ros.cloud import fields_to_bytes
import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / 'shared' / 'data'


def shared(*parts) -> Path:
    """Give a path of the shared data, or skip the test."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f'needs ../shared/data/{"/".join(parts)}, which is not here')
    return path


def header(frame_id='camera', sec=12, nanosec=34):
    """Give a std_msgs/Header."""
    return SimpleNamespace(frame_id=frame_id, stamp=SimpleNamespace(sec=sec, nanosec=nanosec))


def field(name, offset, datatype=7, count=1):
    """Give a sensor_msgs/PointField."""
    return SimpleNamespace(name=name, offset=offset, datatype=datatype, count=count)


def message(array, **changes):
    """Give a sensor_msgs/PointCloud2 of structured records, with some attributes changed."""
    content = fields_to_bytes(array)
    content['fields'] = [field(**values) for values in content['fields']]
    return SimpleNamespace(**{'header': header(), **content, **changes})


def grid(height=3, width=4):
    """Give (height, width) records of different coordinates."""
    array = np.zeros((height, width), [(name, '<f4') for name in 'xyz'])
    for i, name in enumerate('xyz'):
        array[name] = np.arange(height * width).reshape(height, width) + i / 10
    return array
