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

"""What the node sends: content, layout, quality of service."""

from foundry_ros import results
from foundry_ros.bundle import load_bundle
from foundry_ros.cloud import from_message
from foundry_ros.config import Params, update
from foundry_ros.nodes.messages import fill, markers, outgoing, qos
from foundry_ros.pipeline import Pipeline
from foundry_ros.student import Student
from mock_bundle import CLASSES, make_bundle
import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs_py import point_cloud2
from table_scene import table_cloud

STAMP = 12 * 10**9 + 34


@pytest.fixture(scope='module')
def cloud():
    """Give a scene with three boxes."""
    return table_cloud(stamp=STAMP)


@pytest.fixture(scope='module')
def frame(cloud, tmp_path_factory):
    """Give what a pipeline finds in it: three cups."""
    student = Student(load_bundle(make_bundle(tmp_path_factory.mktemp('b'), winner=3)), threads=1)
    return Pipeline(update(Params(), {'token_budget': 8}), student).process(cloud)


def sent(topic, frame, cloud):
    """Give a message as it comes out of the wire."""
    message = outgoing(topic, frame, cloud.xyz, CLASSES, 100.0)
    return deserialize_message(serialize_message(message), type(message))


def test_detections(frame, cloud):
    """Header of the cloud, the name as class, the track as id, an upright box in metres."""
    message = sent('detections', frame, cloud)
    assert message.header.frame_id == 'camera'
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (12, 34)
    assert len(message.detections) == 3
    for found, told in zip(frame.detections, message.detections):
        assert told.header == message.header and told.id == found.id
        assert told.results[0].hypothesis.class_id == 'cup'
        assert told.results[0].hypothesis.score == pytest.approx(found.score)
        assert [r.hypothesis.class_id for r in told.results] == [n for n, _ in found.alternatives]
        center, size = told.bbox.center.position, told.bbox.size
        assert [center.x, center.y, center.z] == pytest.approx(found.box.center)
        assert [size.x, size.y, size.z] == pytest.approx(found.box.size)
        turn = told.bbox.center.orientation
        assert [turn.x, turn.y, turn.z, turn.w] == pytest.approx(found.box.orientation)


def test_parts_are_read_by_others(frame, cloud):
    """The cloud of parts is what sensor_msgs_py makes of it, and it holds the objects' points."""
    message = sent('parts', frame, cloud)
    points = point_cloud2.read_points(message)
    assert [f.name for f in message.fields] == ['x', 'y', 'z', 'instance', 'label', 'part',
                                                'score']
    assert len(points) == sum(len(d.indices) for d in frame.detections)
    for i, found in enumerate(frame.detections):
        mine = points[points['instance'] == i]
        assert np.array_equal(np.stack([mine[axis] for axis in 'xyz'], axis=1),
                              cloud.xyz[found.indices])
        assert (mine['label'] == CLASSES.index('cup')).all()
        assert np.array_equal(mine['part'], found.parts)
        assert np.allclose(mine['score'], found.part_scores)


def test_clouds_of_others_are_read():
    """A cloud made by sensor_msgs_py is read as it was meant."""
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    message = point_cloud2.create_cloud_xyz32(fill('std_msgs/msg/Header', {'frame_id': 'a'}),
                                              points)
    assert np.array_equal(from_message(message).xyz, points)


@pytest.mark.parametrize('period, seconds', [(None, 1.0), (100.0, 1.0), (2500.0, 7.5)])
def test_markers_do_not_stay(frame, period, seconds):
    """The old ones are cleared first, and all vanish when no new ones come."""
    message = markers(frame, period)
    assert message.markers[0].action == results.DELETEALL
    assert len(message.markers) == 1 + 2 * len(frame.detections)
    lifetimes = {m.lifetime.sec + m.lifetime.nanosec / 1e9 for m in message.markers}
    assert lifetimes == {seconds}


def test_budget(frame, cloud):
    """The budget in use is a number."""
    assert sent('token_budget', frame, cloud).data == 8


def test_only_what_explains_ids_is_kept():
    """Latecomers get the names, not old clouds; nothing is queued."""
    for topic in results.TOPICS:
        profile = qos(topic)
        kept = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        assert kept == (topic in ('label_info', 'part_info'))
        assert profile.depth == 1 and profile.reliability == ReliabilityPolicy.RELIABLE
