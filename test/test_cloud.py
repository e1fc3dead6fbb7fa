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

"""Clouds: every layout of PointCloud2 gives the same points."""

import array as arrays
from types import SimpleNamespace

from cloud_messages import field, grid, header, message, shared
from foundry_ros.cloud import (CloudError, finite_mask, from_array, from_message, records,
                               transform)
from foundry_ros.recording import open_recording
from hypothesis import given, HealthCheck, settings, strategies as st
import numpy as np
import pytest

NUMBERS = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 8: 'f8'}


def points(array):
    """Give the coordinates of (height, width) records as (N, 3)."""
    return np.stack([array[name].reshape(-1) for name in 'xyz'], axis=1)


@st.composite
def layouts(draw):
    """Draw a message of any layout and the points that are in it."""
    names = draw(st.permutations(['x', 'y', 'z', 'intensity', 'ring']))
    kinds = {name: draw(st.sampled_from(sorted(NUMBERS))) for name in names}
    big = draw(st.booleans())
    offset, fields = 0, []
    for name in names:
        offset += draw(st.integers(0, 5))
        fields.append(field(name, offset, kinds[name]))
        offset += int(NUMBERS[kinds[name]][1])
    step = offset + draw(st.integers(0, 7))
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    row = step * width + draw(st.integers(0, 9))
    data = bytearray(draw(st.binary(min_size=row * height, max_size=row * height)))
    expected = np.zeros((height * width, 3), np.float32)
    for i in range(height * width):
        for f in fields:
            if f.name in 'xyz':
                value = draw(st.integers(0, 100))
                place = i // width * row + i % width * step + f.offset
                number = np.array(value, ('>' if big else '<') + NUMBERS[f.datatype]).tobytes()
                data[place:place + len(number)] = number
                expected[i, 'xyz'.index(f.name)] = value
    return SimpleNamespace(header=header(), height=height, width=width, fields=fields,
                           is_bigendian=big, point_step=step, row_step=row,
                           data=bytes(data), is_dense=True), expected


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layouts())
def test_every_layout_is_read(case):
    """Any datatypes, order, padding and byte order give the numbers that were put in."""
    msg, expected = case
    cloud = from_message(msg)
    assert cloud.xyz.dtype == np.float32
    np.testing.assert_array_equal(cloud.xyz, expected)
    assert (cloud.height, cloud.width) == (msg.height, msg.width)


def test_header_and_shape_are_kept():
    """Frame, time and rows of the image come along."""
    cloud = from_message(message(grid(3, 4)))
    assert (cloud.frame_id, cloud.stamp) == ('camera', 12_000_000_034)
    assert (cloud.height, cloud.width, cloud.organised) == (3, 4, True)
    assert not from_message(message(grid(1, 4))).organised


def test_ros1_header():
    """The stamp of rospy says secs and nsecs."""
    head = SimpleNamespace(frame_id='a', stamp=SimpleNamespace(secs=2, nsecs=5))
    assert from_message(message(grid(), header=head)).stamp == 2_000_000_005


def test_no_copy_where_the_layout_allows():
    """Adjacent float32 coordinates and packed colours are views that cannot be written to."""
    xyz, rgb = np.random.rand(20, 3), np.arange(60, dtype=np.uint8).reshape(20, 3)
    msg = message(records(xyz, rgb))
    cloud = from_message(msg)
    for values in (cloud.xyz, cloud.rgb):
        assert np.shares_memory(values, np.frombuffer(msg.data, np.uint8))
        with pytest.raises(ValueError):
            values[0, 0] = 1
    np.testing.assert_array_equal(cloud.rgb, rgb)


@pytest.mark.parametrize('height, width', [(1, 4), (3, 4), (3, 1), (4, 3)])
def test_padded_rows_of_adjacent_numbers(height, width):
    """Bytes between the rows are left out of coordinates and colours."""
    array = records(np.random.rand(height * width, 3),
                    np.arange(height * width * 3, dtype=np.uint8).reshape(-1, 3))
    whole = from_array(array.reshape(height, width))
    msg = message(array.reshape(height, width))
    rows = [msg.data[i * msg.row_step:(i + 1) * msg.row_step] for i in range(height)]
    msg.data, msg.row_step = b''.join(row + b'\7' * 5 for row in rows), msg.row_step + 5
    cloud = from_message(msg)
    np.testing.assert_array_equal(cloud.xyz, whole.xyz)
    np.testing.assert_array_equal(cloud.rgb, whole.rgb)


@pytest.mark.parametrize('kind', [bytes, bytearray, memoryview,
                                  lambda data: arrays.array('B', data),
                                  lambda data: np.frombuffer(data, np.uint8)])
def test_any_buffer_of_bytes(kind):
    """The bytes may be held by any type that a middleware uses."""
    msg = message(grid())
    msg.data = kind(msg.data)
    np.testing.assert_array_equal(from_message(msg).xyz, points(grid()))


def test_not_finite_points_are_kept_and_marked():
    """Points of NaN and inf stay where they are, so that indices are those of the message."""
    array = grid(1, 5)
    array['x'][0, 1], array['y'][0, 2], array['z'][0, 3] = np.nan, np.inf, -np.inf
    cloud = from_message(message(array))
    assert len(cloud.xyz) == 5
    np.testing.assert_array_equal(finite_mask(cloud.xyz), [True, False, False, False, True])


@pytest.mark.parametrize('height, width', [(0, 0), (1, 0), (0, 5)])
def test_empty(height, width):
    """A cloud without points is a cloud."""
    cloud = from_message(message(grid(1, 0), height=height, width=width, data=b''))
    assert cloud.xyz.shape == (0, 3)
    assert (cloud.height, cloud.width) == (1, 0)


def test_one_point_and_a_million():
    """Sizes at both ends."""
    assert from_message(message(grid(1, 1))).xyz.shape == (1, 3)
    cloud = from_message(message(grid(1000, 1000)))
    assert cloud.xyz.shape == (10**6, 3)
    assert cloud.xyz[-1, 2] == np.float32(10**6 - 1 + 0.2)


def test_float64_beyond_float32_is_not_finite():
    """What float32 cannot hold is no measurement."""
    array = np.zeros(2, [(name, '<f8') for name in 'xyz'])
    array['x'][1] = 1e300
    np.testing.assert_array_equal(finite_mask(from_message(message(array)).xyz), [True, False])


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('name, kind', [('rgb', 'f4'), ('rgb', 'u4'), ('rgba', 'u4'),
                                        ('rgb', 'i4')])
def test_packed_colour(name, kind, big):
    """Red, green and blue are found in the four bytes, whatever they are declared as."""
    order = '>' if big else '<'
    array = np.zeros(2, [(c, order + 'f4') for c in 'xyz'] + [(name, order + kind)])
    array[name] = np.array([0x00102030, 0xFFFFA001], order + 'u4').view(order + kind)
    msg = message(array.astype(array.dtype.newbyteorder('<')))
    msg.data, msg.is_bigendian = array.tobytes(), big
    np.testing.assert_array_equal(from_message(msg).rgb, [[16, 32, 48], [255, 160, 1]])


@pytest.mark.parametrize('kind, values, expected', [
    ('u1', [0, 7, 255], [0, 7, 255]), ('u2', [0, 7, 300], [0, 7, 255]),
    ('i1', [-3, 7, 127], [0, 7, 127]), ('i4', [-3, 1, 0], [0, 1, 0]),
    ('f4', [0, 0.5, 1], [0, 127, 255]), ('f4', [0, 7, 255], [0, 7, 255]),
    ('f8', [np.nan, 0.5, np.inf], [0, 0, 255])])
def test_colour_in_three_fields(kind, values, expected):
    """Separate colours are brought to bytes, fractions of one are scaled."""
    array = np.zeros(3, [(c, 'f4') for c in 'xyz'] + [(c, kind) for c in 'rgb'])
    for name in 'rgb':
        array[name] = values
    rgb = from_array(array).rgb
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, np.repeat(np.array(expected)[:, None], 3, axis=1))


def test_bytes_and_fractions_are_told_apart_by_all_colours():
    """Where green reaches 200, a red of 1 is nearly black, not full."""
    array = np.zeros(2, [(c, 'f4') for c in 'xyz'] + [(c, 'f4') for c in 'rgb'])
    array['r'], array['g'] = [0, 1], [200, 100]
    np.testing.assert_array_equal(from_array(array).rgb, [[0, 200, 0], [1, 100, 0]])


def test_colours_that_are_not_read_cannot_stop_the_robot():
    """Of several colours the first is read; a lone r is none."""
    array = np.zeros(2, [(c, 'f4') for c in 'xyz'] + [('rgba', 'f8'), ('r', 'S3'), ('rgb', 'u4')])
    array['rgb'] = 0x010203
    np.testing.assert_array_equal(from_array(array).rgb, [[1, 2, 3]] * 2)
    assert from_array(array[['x', 'y', 'z', 'r']]).rgb is None


def test_no_colour():
    """No colour is none."""
    assert from_message(message(grid())).rgb is None


def test_transform():
    """A quarter turn about z and a shift; NaN stays NaN."""
    matrix = np.array([[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]], float)
    moved = transform(np.array([[1, 0, 0], [np.nan, 0, 0]], np.float32), matrix)
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(moved[0], [1, 3, 3])
    assert not finite_mask(moved)[1]


def test_records_round_trip():
    """What is laid out for sending is read back the same."""
    xyz = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    rgb = np.arange(150, dtype=np.uint8).reshape(50, 3)
    cloud = from_message(message(records(xyz, rgb)))
    np.testing.assert_array_equal(cloud.xyz, xyz)
    np.testing.assert_array_equal(cloud.rgb, rgb)


@pytest.mark.parametrize('kind', ['>f4', '<i8', 'S4', '?'])
def test_types_that_are_not_sent(kind):
    """Records that a PointCloud2 cannot carry are refused."""
    with pytest.raises(CloudError, match='extra'):
        message(np.zeros(2, [(name, '<f4') for name in 'xyz'] + [('extra', kind)]))


@pytest.mark.parametrize('name', ['tabletop_kinect', 'kinect_3frames', 'watercan.bag',
                                  'watercan_ros2'])
def test_real_messages(name):
    """Recorded clouds equal what numpy reads out of their bytes field by field."""
    highlevel = pytest.importorskip('rosbags.highlevel')
    path = shared('bags', name)
    with highlevel.AnyReader([path]) as reader, open_recording(path) as recording:
        clouds = [c for c in reader.connections if c.msgtype == 'sensor_msgs/msg/PointCloud2']
        messages = [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages(clouds)]
        assert len(messages) == len(recording) > 0
        for msg, cloud in zip(messages, recording):
            for i, name in enumerate('xyz'):
                offset = next(f.offset for f in msg.fields if f.name == name)
                table = np.asarray(msg.data).reshape(-1, msg.point_step)
                column = table[:, offset:offset + 4].copy().view('<f4')[:, 0]
                np.testing.assert_array_equal(cloud.xyz[:, i], column)
            stamp = msg.header.stamp
            assert cloud.stamp == stamp.sec * 10**9 + stamp.nanosec
            assert cloud.frame_id == msg.header.frame_id
