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

"""Files of points: .pcd and .ply of all their kinds, real scenes, and damaged ones."""

import json
import struct

from cloud_messages import shared
from foundry_ros.cloud import CloudError, finite_mask, from_array
from foundry_ros.pcd import read_pcd
from foundry_ros.ply import read_ply
from foundry_ros.recording import open_recording, RecordingError
from hypothesis import example, given, HealthCheck, settings, strategies as st
import numpy as np
import pytest

FIELDS = [('x', '<f4'), ('y', '<f4'), ('z', '<f8'), ('rgb', '<u4'), ('normal', '<f4', (3,))]
HEADER = """# .PCD v0.7 - Point Cloud Data file format
VERSION 0.7
FIELDS x y z rgb normal
SIZE 4 4 8 4 4
TYPE F F F U F
COUNT 1 1 1 1 3
WIDTH {width}
HEIGHT {height}
VIEWPOINT 0 0 0 1 0 0 0
POINTS {points}
DATA {data}
"""


def table(height=2, width=3):
    """Give records of different values, one of them NaN."""
    array = np.zeros((height, width), FIELDS)
    for i, name in enumerate('xyz'):
        array[name] = np.arange(height * width).reshape(height, width) + i / 8
    array['y'][-1:, -1:] = np.nan
    array['rgb'] = 0x00FF8001
    return array


def literal(data):
    """Pack as LZF does what it cannot compress."""
    runs = [data[i:i + 32] for i in range(0, len(data), 32)]
    return b''.join(bytes([len(run) - 1]) + run for run in runs)


def pcd(array, kind):
    """Write a .pcd file."""
    head = HEADER.format(width=array.shape[1], height=array.shape[0], points=array.size, data=kind)
    if kind == 'ascii':
        rows = [' '.join(str(v) for value in row for v in np.atleast_1d(value))
                for row in array.reshape(-1).tolist()]
        body = '\n'.join(rows).encode()
    elif kind == 'binary':
        body = array.tobytes()
    else:
        columns = b''.join(array[name].tobytes() for name in array.dtype.names)
        body = struct.pack('<II', len(literal(columns)), len(columns)) + literal(columns)
    return head.encode() + body


@pytest.mark.parametrize('kind', ['ascii', 'binary', 'binary_compressed'])
def test_pcd(kind):
    """All three kinds give the same points, colours and shape."""
    cloud = from_array(read_pcd(pcd(table(), kind)))
    assert (cloud.height, cloud.width) == (2, 3)
    for i, name in enumerate('xyz'):
        np.testing.assert_array_equal(cloud.xyz[:, i], table()[name].reshape(-1))
    np.testing.assert_array_equal(cloud.rgb, [[255, 128, 1]] * 6)


@pytest.mark.parametrize('kind', ['ascii', 'binary', 'binary_compressed'])
def test_empty_pcd(kind):
    """A file of no points is a cloud of none."""
    assert len(from_array(read_pcd(pcd(table(0, 0), kind) + b'\0' * 8)).xyz) == 0


def test_lzf_copies():
    """Copies of earlier bytes, long ones and ones that overlap what they write."""
    head = HEADER.format(width=1, height=9, points=9, data='binary_compressed').encode()
    # one literal 7, then copies of the byte before: 9 + 255 of them, and 9 + 14
    body = bytes([0, 7, 0xE0, 255, 0, 0xE0, 14, 0])
    array = read_pcd(head + struct.pack('<II', len(body), 288) + body)
    assert array.tobytes() == b'\7' * 288
    for wrong in (bytes([0, 7, 0xE0, 255, 9]), bytes([0xE0]), bytes([31, 1])):
        with pytest.raises(CloudError, match='damaged|cannot unpack'):
            read_pcd(head + struct.pack('<II', len(wrong), 288) + wrong)


def test_old_pcd_with_padding():
    """COUNT, HEIGHT and POINTS may be left out, and padding fields may share a name."""
    head = ('FIELDS _ x _ y z\nSIZE 1 4 2 4 4\nTYPE U F U F F\nWIDTH 2\nDATA binary\n').encode()
    body = struct.pack('<BfHff', 9, 1, 9, 2, 3) + struct.pack('<BfHff', 9, 4, 9, 5, 6)
    np.testing.assert_array_equal(from_array(read_pcd(head + body)).xyz, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize('old, new, line', [
    ('FIELDS x y z', 'FIELDS u v w', 'no field x, y, z'), ('DATA binary', 'DATA zip', 'zip'),
    ('POINTS 6', 'POINTS 7', 'POINTS is 7'), ('WIDTH 3', 'WIDTH three', 'WIDTH three'),
    ('WIDTH 3', 'WIDTH -3', 'WIDTH -3'), ('WIDTH 3', 'WIDE 3', 'no WIDTH'),
    ('TYPE F', 'TYPE G', 'unknown type G'), ('SIZE 4', 'SIZE 3', 'size 3'),
    ('SIZE 4 4', 'SIZE 4', 'differ in length'), ('DATA binary', 'DATE binary', 'no DATA'),
    ('COUNT 1', 'COUNT 2', 'ends early'), ('COUNT 1', 'COUNT 99999999999', 'too large'),
    ('HEIGHT 2', 'HEIGHT 0', 'POINTS'), ('DATA binary', 'DATA', 'no DATA')])
def test_wrong_pcd_headers(tmp_path, old, new, line):
    """Every contradiction in a header is one line."""
    content = pcd(table(), 'binary')
    assert old.encode() in content
    (tmp_path / 'a.pcd').write_bytes(content.replace(old.encode(), new.encode()))
    with pytest.raises(RecordingError, match=line) as error:
        list(open_recording(tmp_path / 'a.pcd'))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('kind', ['ascii', 'binary', 'binary_compressed'])
def test_cut_pcd(kind):
    """A cut file is refused, wherever it is cut."""
    content = pcd(table(), kind)
    for end in range(0, len(content) - 8, 7):
        with pytest.raises(CloudError):
            read_pcd(content[:end])


PLY = """ply
format {kind} 1.0
comment by hand
element camera 1
property int id
element vertex {count}
property float x
property double y
property float z
property uchar red
property uchar green
property uchar blue
element face 1
property list uchar int vertex_indices
end_header
"""


def ply(kind, count=3):
    """Write a .ply file with an element before and one after its vertices."""
    head = PLY.format(kind=kind, count=count).encode()
    rows = [(i, i + 0.5, -i, 255, 128, i) for i in range(count)]
    if kind == 'ascii':
        lines = [b'77'] + [' '.join(map(str, row)).encode() for row in rows] + [b'3 0 1 2']
        return head + b'\n'.join(lines) + b'\n'
    order = '>' if 'big' in kind else '<'
    body = b''.join(struct.pack(order + 'fdfBBB', *row) for row in rows)
    return head + struct.pack(order + 'i', 77) + body + struct.pack(order + 'B3i', 3, 0, 1, 2)


@pytest.mark.parametrize('kind', ['ascii', 'binary_little_endian', 'binary_big_endian'])
@pytest.mark.parametrize('newline', [b'\n', b'\r\n'])
def test_ply(kind, newline):
    """All three kinds give the same points and colours; other elements are left aside."""
    head, _, body = ply(kind).partition(b'end_header\n')
    content = head.replace(b'\n', newline) + b'end_header' + newline + body
    cloud = from_array(read_ply(content))
    np.testing.assert_array_equal(cloud.xyz, [[i, i + 0.5, -i] for i in range(3)])
    np.testing.assert_array_equal(cloud.rgb, [[255, 128, i] for i in range(3)])
    assert (cloud.height, cloud.width) == (1, 3)


@pytest.mark.parametrize('kind', ['ascii', 'binary_little_endian'])
def test_empty_ply(kind):
    """A file of no vertices is a cloud of none."""
    assert len(from_array(read_ply(ply(kind, 0))).xyz) == 0


@pytest.mark.parametrize('old, new, line', [
    ('ply\n', 'plus\n', 'no .ply'), ('end_header', 'end', 'no .ply'),
    ('format ascii', 'format zip', 'format zip'), ('element vertex', 'element point', 'vert'),
    ('property float x', 'property list uchar int x', 'type .list uchar int.'),
    ('property float x', 'property float y', 'vertex wrongly'),
    ('property float x', 'property float u', 'no field x'),
    ('vertex 3', 'vertex -3', 'vertex wrongly'), ('vertex 3', 'vertex many', 'vertex many'),
    ('vertex 3', 'vertex 999999999999', '999999999999'), ('1.5', 'abc', 'no number')])
def test_wrong_ply(tmp_path, old, new, line):
    """Every contradiction is one line."""
    content = ply('ascii')
    assert old.encode() in content
    (tmp_path / 'a.ply').write_bytes(content.replace(old.encode(), new.encode()))
    with pytest.raises(RecordingError, match=line) as error:
        list(open_recording(tmp_path / 'a.ply'))
    assert '\n' not in str(error.value)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(['ascii', 'binary', 'binary_compressed', 'ply', 'ply_ascii']),
       st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), min_size=1, max_size=4))
@example('binary', [(70, b'0 0 0')])
def test_nothing_but_cloud_errors(kind, changes):
    """Whatever bytes are put over a file, it is read or refused in one line."""
    whole = {'ply': lambda: ply('binary_little_endian'), 'ply_ascii': lambda: ply('ascii')}
    content = bytearray(whole.get(kind, lambda: pcd(table(), kind))())
    for place, patch in changes:
        content[place:place + len(patch)] = patch
    try:
        cloud = from_array((read_ply if 'ply' in kind else read_pcd)(bytes(content)))
    except CloudError as error:
        assert '\n' not in str(error)
    else:
        assert cloud.xyz.shape == (cloud.height * cloud.width, 3)


def test_folder_of_files(tmp_path):
    """A folder is a series, in the order of its numbers."""
    for number, content in ((2, pcd(table(1, 2), 'ascii')), (10, pcd(table(1, 5), 'binary'))):
        (tmp_path / f'frame_{number}.pcd').write_bytes(content)
    (tmp_path / 'frame_9.PLY').write_bytes(ply('ascii'))
    (tmp_path / '.hidden.pcd').write_bytes(b'')
    with open_recording(tmp_path) as recording:
        clouds = list(recording)
        assert (len(recording), recording.topic, recording.topics) == (3, '', {})
    assert [len(cloud.xyz) for cloud in clouds] == [2, 3, 5]
    assert [cloud.stamp for cloud in clouds] == [0, 10**8, 2 * 10**8]


def test_files_have_no_topics(tmp_path):
    """A topic is not silently left aside."""
    (tmp_path / 'a.pcd').write_bytes(pcd(table(), 'ascii'))
    with pytest.raises(RecordingError, match='no topics: leave --topic out'):
        open_recording(tmp_path / 'a.pcd', '/points')


def test_real_scenes():
    """Every scene has the points and the bounds that its index says."""
    index = json.loads(shared('scenes', 'index.json').read_text())
    assert index
    for entry in index:
        with open_recording(shared('scenes', entry['file'])) as recording:
            cloud, = recording
        points = cloud.xyz[finite_mask(cloud.xyz)]
        assert (cloud.height, cloud.width) == (entry['height'], entry['width'])
        assert len(points) == entry['finite']
        np.testing.assert_allclose(points.min(axis=0), entry['min'], atol=6e-4)
        np.testing.assert_allclose(points.max(axis=0), entry['max'], atol=6e-4)
        assert (cloud.rgb is not None) == ('rgb' in entry['fields'])
