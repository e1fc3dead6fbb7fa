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

"""PointCloud2 messages that contradict themselves are refused in one line, whatever they hold."""

from types import SimpleNamespace

from cloud_messages import field, grid, header, message
from foundry_ros.cloud import Cloud, CloudError, finite_mask, from_message
from hypothesis import given, HealthCheck, settings, strategies as st
import numpy as np
import pytest

XYZ = [field('x', 0), field('y', 4), field('z', 8)]
CONTRADICTIONS = [
    ({'fields': []}, 'no field x, y, z; its fields: none'),
    ({'fields': XYZ[:2] + [field('intensity', 8)]}, 'no field z; its fields: x, y, intensity'),
    ({'fields': XYZ + XYZ[:1]}, 'x occurs twice'),
    ({'fields': XYZ[:2] + [field('z', 6)]}, 'y and z overlap'),
    ({'fields': XYZ[:2] + [field('z', 9)]}, 'bytes 9 to 13 .* point_step is 12'),
    ({'fields': XYZ[:2] + [field('z', 8, datatype=8)]}, 'bytes 8 to 16'),
    ({'fields': XYZ[:2] + [field('z', -4)]}, 'bytes -4'),
    ({'fields': XYZ[:2] + [field('z', 8, datatype=9)]}, 'z has the unknown datatype 9'),
    ({'fields': XYZ[:2] + [field('z', 8, count=0)]}, 'z has count 0'),
    ({'fields': XYZ[:2] + [field('z', 8, count=3)]}, 'z has count 3'),
    ({'fields': XYZ + [field('rgb', 8, datatype=8)]}, 'rgb'),
    ({'fields': XYZ + [field('rgb', 12, datatype=2)], 'point_step': 13, 'row_step': 52,
      'data': bytes(156)}, 'rgb has 1 bytes'),
    ({'fields': XYZ + [field('rgb', 6)]}, 'y and rgb overlap'),
    ({'point_step': 2**32 - 1}, 'point_step is 4294967295'),
    ({'fields': None}, 'no PointCloud2'),
    ({'fields': [field('a\nb' * 1000, 0)]}, 'no field x, y, z'),
    ({'point_step': 11}, 'point_step is 11'),
    ({'point_step': 0}, 'point_step is 0'),
    ({'row_step': 47}, 'row_step is 47'),
    ({'row_step': 49}, '144 bytes, but 3 rows of 49'),
    ({'data': bytes(143)}, '143 bytes, but 3 rows of 48'),
    ({'data': b''}, '0 bytes'),
    ({'data': None}, 'no PointCloud2'),
    ({'data': [1, 2, 3]}, 'no PointCloud2'),
    ({'height': 2**32 - 1, 'width': 2**32 - 1}, 'do not fit'),
    ({'height': 2**32 - 1, 'row_step': 2**32 - 1}, 'declared'),
    ({'height': -1}, 'negative'),
    ({'width': 'four'}, 'no PointCloud2'),
    ({'header': None}, 'no header'),
    ({'header': header(frame_id=b'camera')}, 'frame_id'),
    ({'header': header(nanosec=10**9)}, 'no time'),
]


@pytest.mark.parametrize('changes, line', CONTRADICTIONS)
def test_contradictions(changes, line):
    """Each is refused in one line that names it."""
    with pytest.raises(CloudError, match=line) as error:
        from_message(message(grid(), **changes))
    assert '\n' not in str(error.value)


def test_unused_fields_are_not_looked_at():
    """A field that nobody reads cannot stop the robot."""
    odd = [field('intensity', 4000, datatype=77, count=0), field('t', 0)]
    assert len(from_message(message(grid(), fields=XYZ + odd)).xyz) == 12


def test_one_row_needs_no_row_step():
    """Some drivers leave it 0."""
    assert len(from_message(message(grid(1, 12), row_step=0)).xyz) == 12


def test_any_message_is_no_cloud():
    """Something else altogether is refused, too."""
    with pytest.raises(CloudError, match='no PointCloud2'):
        from_message(object())


WILD = st.one_of(st.integers(-2**65, 2**65), st.integers(0, 40), st.sampled_from(
    [2**31 - 1, 2**31, 2**32 - 1, 2**63, None, '', 'x', 1.5, float('nan'), b'12', [],
     np.zeros(2)]))
NAMES = st.one_of(st.sampled_from(['x', 'y', 'z', 'rgb', 'rgba', 'r', 'g', 'b', '_']),
                  st.text(max_size=5), WILD)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_nothing_but_cloud_errors(data):
    """Whatever is changed in a message, it is read or refused with a CloudError of one line."""
    fields = [field('x', 0), field('y', 4), field('z', 8), field('rgb', 12)]
    msg = SimpleNamespace(header=header(), height=2, width=3, fields=fields, is_bigendian=False,
                          point_step=16, row_step=48, data=bytes(96), is_dense=True)
    for _ in range(data.draw(st.integers(1, 4))):
        target = data.draw(st.sampled_from([msg, msg.header, *fields]))
        name = data.draw(st.sampled_from(sorted(vars(target))))
        if name == 'data':
            value = data.draw(st.one_of(st.binary(max_size=200), WILD))
        elif name == 'name':
            value = data.draw(NAMES)
        elif name == 'fields':
            value = data.draw(st.one_of(st.lists(st.sampled_from(fields), max_size=6), WILD))
        else:
            value = data.draw(WILD)
        setattr(target, name, value)
        if msg.header is None or not hasattr(msg.header, 'stamp'):
            break
    try:
        cloud = from_message(msg)
    except CloudError as error:
        assert '\n' not in str(error) and len(str(error)) < 500
        return
    assert isinstance(cloud, Cloud)
    assert cloud.xyz.shape == (cloud.height * cloud.width, 3)
    assert cloud.xyz.dtype == np.float32
    assert cloud.rgb is None or cloud.rgb.shape == cloud.xyz.shape
    finite_mask(cloud.xyz)
