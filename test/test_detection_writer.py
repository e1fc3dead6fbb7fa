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

"""detections.mcap: what is in it, that it describes itself, and that it is whole or not there."""

from dataclasses import replace  # noqa: F401 (used by FULL)
import os
import subprocess
import sys
from types import SimpleNamespace

from foundry_ros import results
from foundry_ros.boxes import Box
from foundry_ros.cloud import Cloud
from foundry_ros.detection_writer import DetectionWriter
from foundry_ros.output import OutputError
from foundry_ros.pipeline import Detection, Frame
from foundry_ros.recording import open_recording
import numpy as np
import pytest

pytest.importorskip('rosbags', reason='messages are serialised by rosbags')
pytest.importorskip('mcap', reason='the file is written by mcap')

from rosbags.highlevel import AnyReader  # noqa: E402

BUNDLE = SimpleNamespace(classes=('bowl', 'cup'), parts=('cup/body', 'cup/handle'))
# a quarter turn about x: the box's z axis is the cloud's -y
TURNED = np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
XYZ = np.arange(60, dtype=np.float32).reshape(20, 3)
CLOUD = Cloud(XYZ, 4, 5)
CUP = Detection('7', 'cup', 0.9, (('cup', 0.9), ('bowl', 0.05)),
                Box(np.array([1.0, 2, 3]), np.array([0.2, 0.1, 0.4]), TURNED),
                np.array([3, 5, 8]), np.array([1, 0, -1], np.int32),
                np.array([0.8, 0.7, 0], np.float32), {0: 'cup/body', 1: 'cup/handle'})
UNKNOWN = Detection('9', 'unknown', 0.3, (('bowl', 0.3), ('cup', 0.2)),
                    Box(np.zeros(3), np.ones(3), np.array([0, 0, 0, 1.0])), np.array([0, 1]),
                    np.array([-1, -1], np.int32), np.zeros(2, np.float32), {})


def frame(number=0, detections=(CUP, UNKNOWN)):
    """Give the number-th frame, ten a second."""
    return Frame(1_700_000_000_000_000_005 + number * 10**8, 'camera', 16, {}, detections, None)


def write(folder, count=3):
    """Write some frames."""
    with DetectionWriter(folder, BUNDLE, 0.5) as writer:
        for i in range(count):
            writer.write(frame(i), CLOUD)
    return folder / 'detections.mcap'


def read(path):
    """Read all messages by topic with nothing but the definitions in the file."""
    messages = {}
    with AnyReader([path]) as reader:
        for connection, stamp, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            messages.setdefault(connection.topic, []).append((stamp, message))
    return messages


def test_topics_and_types(tmp_path):
    """The node's topics with the node's types, the label maps once and latched."""
    with AnyReader([write(tmp_path)]) as reader:
        seen = {c.topic: (c.msgtype, c.msgcount, c.ext.offered_qos_profiles[0].durability.name)
                for c in reader.connections}
    node = '/foundry_perception/'
    assert seen == {
        node + 'detections': ('vision_msgs/msg/Detection3DArray', 3, 'VOLATILE'),
        node + 'parts': ('sensor_msgs/msg/PointCloud2', 3, 'VOLATILE'),
        node + 'label_info': ('vision_msgs/msg/LabelInfo', 1, 'TRANSIENT_LOCAL'),
        node + 'part_info': ('vision_msgs/msg/LabelInfo', 1, 'TRANSIENT_LOCAL'),
        node + 'markers': ('visualization_msgs/msg/MarkerArray', 3, 'VOLATILE'),
        node + 'token_budget': ('std_msgs/msg/UInt16', 3, 'VOLATILE')}


def test_detections(tmp_path):
    """Header of the cloud, name first, box, track."""
    messages = read(write(tmp_path))['/foundry_perception/detections']
    assert [stamp for stamp, _ in messages] == [frame(i).stamp for i in range(3)]
    message = messages[0][1]
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1_700_000_000, 5)
    assert message.header.frame_id == 'camera'
    cup, unknown = message.detections
    assert cup.header == message.header and cup.id == '7'
    names = [(r.hypothesis.class_id, r.hypothesis.score) for r in cup.results]
    assert names == [('cup', 0.9), ('bowl', 0.05)]
    assert [r.hypothesis.class_id for r in unknown.results] == ['unknown', 'bowl', 'cup']
    size, center = cup.bbox.size, cup.bbox.center
    assert (size.x, size.y, size.z) == (0.2, 0.1, 0.4)
    assert (center.position.x, center.position.y, center.position.z) == (1, 2, 3)
    assert (center.orientation.x, center.orientation.w) == (TURNED[0], TURNED[3])
    assert cup.results[0].pose.pose == center


def test_parts(tmp_path):
    """The points of the objects, with the ids that the label maps explain."""
    messages = read(write(tmp_path))
    message = messages['/foundry_perception/parts'][0][1]
    fields = [(f.name, f.datatype, f.count) for f in message.fields]
    assert fields == [('x', 7, 1), ('y', 7, 1), ('z', 7, 1), ('instance', 4, 1), ('label', 4, 1),
                      ('part', 4, 1), ('score', 7, 1)]
    points = np.frombuffer(message.data, np.dtype(
        {'names': [f.name for f in message.fields], 'itemsize': message.point_step,
         'formats': ['<f4', '<f4', '<f4', '<u2', '<u2', '<u2', '<f4'],
         'offsets': [f.offset for f in message.fields]}))
    np.testing.assert_array_equal(np.stack([points[n] for n in 'xyz'], 1), XYZ[[3, 5, 8, 0, 1]])
    assert points['instance'].tolist() == [0, 0, 0, 1, 1]
    assert points['label'].tolist() == [1, 1, 1, 65535, 65535]
    assert points['part'].tolist() == [1, 0, 65535, 65535, 65535]
    np.testing.assert_allclose(points['score'], [0.8, 0.7, 0.9, 0.3, 0.3])
    maps = {topic: {c.class_id: c.class_name for c in messages[f'/foundry_perception/{topic}']
                    [0][1].class_map} for topic in ('label_info', 'part_info')}
    assert maps == {'label_info': {0: 'bowl', 1: 'cup', 65535: 'unknown'},
                    'part_info': {0: 'cup/body', 1: 'cup/handle', 65535: 'unknown'}}
    assert messages['/foundry_perception/label_info'][0][1].threshold == 0.5


def test_parts_open_as_a_recording(tmp_path):
    """The file is itself a recording of clouds."""
    with open_recording(write(tmp_path)) as recording:
        assert recording.topic == '/foundry_perception/parts'
        assert [len(cloud.xyz) for cloud in recording] == [5, 5, 5]


def test_markers(tmp_path):
    """Old ones go, each object has a box and its name above it, against gravity."""
    clear, box, name, *_ = read(write(tmp_path))['/foundry_perception/markers'][0][1].markers
    assert clear.action == results.DELETEALL
    assert (box.action, box.type, box.ns, box.id) == (results.ADD, results.CUBE, 'boxes', 0)
    assert (box.scale.z, box.pose.orientation.x) == (0.4, TURNED[0])
    assert 0 < box.color.a < 1
    assert (name.type, name.text) == (results.TEXT_VIEW_FACING, 'cup 0.90')
    position = name.pose.position
    np.testing.assert_allclose((position.x, position.y, position.z), (1, 2 - 0.2 - 0.03, 3),
                               atol=1e-9)


def test_token_budget(tmp_path):
    """The budget goes along."""
    assert read(write(tmp_path))['/foundry_perception/token_budget'][0][1].data == 16


def test_frames_without_objects_or_time(tmp_path):
    """An empty frame is a message, too, and a stamp below zero is none to file it under."""
    with DetectionWriter(tmp_path, BUNDLE) as writer:
        writer.write(Frame(-1, '', 64, {}, (), None), CLOUD)
    messages = read(tmp_path / 'detections.mcap')
    assert messages['/foundry_perception/detections'][0][1].detections == []
    assert len(messages['/foundry_perception/parts'][0][1].data) == 0
    assert [m.action for m in messages['/foundry_perception/markers'][0][1].markers] == [3]


def test_reference_reader_agrees(tmp_path):
    """Indices and checksums hold for the reference implementation of MCAP."""
    from mcap.reader import make_reader
    with open(write(tmp_path), 'rb') as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_header().profile == 'ros2'
        assert reader.get_summary().statistics.message_count == 14
        assert len(list(reader.iter_messages())) == 14
        assert {s.encoding for s in reader.get_summary().schemas.values()} == {'ros2msg'}


def test_nothing_is_seen_before_it_is_whole(tmp_path):
    """An older file stays until the new one is there; nothing else is left."""
    path = write(tmp_path, 1)
    old = path.read_bytes()
    with DetectionWriter(tmp_path, BUNDLE) as writer:
        writer.write(frame(), CLOUD)
        writer.write(frame(1), CLOUD)
        assert path.read_bytes() == old
    assert path.read_bytes() != old
    assert os.listdir(tmp_path) == ['detections.mcap']


@pytest.mark.parametrize('frames, error, left', [
    (1, ValueError, []), (1, KeyboardInterrupt, ['detections.mcap']), (0, KeyboardInterrupt, [])])
def test_what_is_left_after_an_error(tmp_path, frames, error, left):
    """Ctrl-C keeps the frames so far; any other error leaves nothing."""
    with pytest.raises(error):
        with DetectionWriter(tmp_path, BUNDLE) as writer:
            for i in range(frames):
                writer.write(frame(i), CLOUD)
            raise error
    assert os.listdir(tmp_path) == left
    if left:
        assert len(read(tmp_path / left[0])['/foundry_perception/detections']) == frames


def test_no_frames_no_file(tmp_path):
    """A run without clouds writes no file."""
    with DetectionWriter(tmp_path, BUNDLE):
        pass
    assert os.listdir(tmp_path) == []


def test_interrupt_within_a_frame(tmp_path, monkeypatch):
    """Ctrl-C in the middle of a frame leaves nothing, rather than half of it."""
    def interrupted(*args):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        with DetectionWriter(tmp_path, BUNDLE) as writer:
            writer.write(frame(), CLOUD)
            monkeypatch.setattr(writer._mcap, 'add_message', interrupted)
            writer.write(frame(1), CLOUD)
    assert os.listdir(tmp_path) == []


def test_folder_that_cannot_be_written(tmp_path):
    """No folder, or one that takes no file, is said in one line."""
    with pytest.raises(OutputError, match='cannot write .*No such file or directory'):
        DetectionWriter(tmp_path / 'missing', BUNDLE)
    (tmp_path / 'file').write_text('')
    with pytest.raises(OutputError, match='cannot write .*Not a directory'):
        DetectionWriter(tmp_path / 'file', BUNDLE)


FULL = """
import resource, signal, sys
sys.path[:0] = [{root!r}, {test!r}]
from test_detection_writer import BUNDLE, CLOUD, Detection, DetectionWriter, Frame, OutputError
from test_detection_writer import CUP, np, replace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
rng = np.random.default_rng(0)
big = CLOUD.__class__(rng.random((200_000, 3), np.float32), 1, 200_000)
n = np.arange(200_000)
cup = replace(CUP, indices=n, parts=n.astype(np.int32) % 2, part_scores=big.xyz[:, 0])
try:
    with DetectionWriter({folder!r}, BUNDLE) as writer:
        writer.write(Frame(1, 'camera', 1, {{}}, (cup,), None), big)
except OutputError as error:
    print(error)
"""


def test_disk_full(tmp_path):
    """A file that cannot grow is one line, and nothing is left of it."""
    here = os.path.dirname(os.path.abspath(__file__))
    code = FULL.format(root=os.path.dirname(here), test=here, folder=str(tmp_path))
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.startswith('cannot write') and done.stdout.count('\n') == 1, done.stderr
    assert not done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('missing', ['mcap', 'rosbags'])
def test_missing_packages(tmp_path, monkeypatch, missing):
    """The extra that brings them is named."""
    for name in [name for name in sys.modules if name.split('.')[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(OutputError, match=rf'package {missing}, .*foundry_ros\[replay\]'):
        DetectionWriter(tmp_path, BUNDLE)
    assert os.listdir(tmp_path) == []


def test_colours_are_stable_and_differ():
    """A name has its colour; unknown is grey."""
    assert results.colour('cup') == results.colour('cup') != results.colour('bowl')
    assert len({results.colour('unknown')[c] for c in 'rgb'}) == 1
