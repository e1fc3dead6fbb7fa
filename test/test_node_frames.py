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

"""Results in another frame, and gravity by tf."""

from builtin_interfaces.msg import Time
from foundry_ros.nodes.frames import in_frame
from foundry_ros.pipeline import Pipeline
from geometry_msgs.msg import TransformStamped
from mock_bundle import make_bundle
import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.time import Time as RclpyTime
from ros_bench import Bench, cloud_message
from rosgraph_msgs.msg import Clock as ClockMessage
from scipy.spatial.transform import Rotation
from sensor_msgs_py import point_cloud2
from table_scene import BOXES, table_cloud
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

# the camera of the scene, in a frame that lies on the table with z up
EYE = np.array([0.0, -0.8, 0.7])


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Give a model with random weights."""
    return make_bundle(tmp_path_factory.mktemp('bundle'), winner=3)


def tell_tf(bench):
    """Publish where the camera is."""
    bench.tf = StaticTransformBroadcaster(bench.peer)
    bench.tf.sendTransform(_transform())


def _transform():
    """Give the place of the camera on the table."""
    told = TransformStamped(child_frame_id='camera')
    told.header.frame_id = 'table'
    shift, turn = told.transform.translation, told.transform.rotation
    shift.x, shift.y, shift.z = EYE
    turn.x, turn.y, turn.z, turn.w = Rotation.from_matrix(_camera()).as_quat()
    return told


def _camera_at(stamp, x):
    """Give the transform of a camera that went along the table's x axis."""
    told = _transform()
    told.header.stamp = RclpyTime(nanoseconds=stamp).to_msg()
    told.transform.translation.x += x
    return told


def _camera():
    """Give the rotation whose columns are the camera's axes as table_scene has them."""
    forward, right = np.array([0.0, 0.8, -0.6]), np.array([1.0, 0.0, 0.0])
    return np.stack([right, np.cross(forward, right), forward], axis=1)


def heard_tf(bench):
    """Tell whether the node knows the way."""
    buffer = bench.node._frames._buffer
    return 'camera' in buffer.all_frames_as_yaml()


def test_results_in_another_frame(bundle):
    """Boxes stand upright where they were put on the table; the points lie in them."""
    with Bench(bundle, ('detections', 'parts'), output__target_frame='table') as bench:
        tell_tf(bench)
        bench.activate()
        bench.wait(lambda: heard_tf(bench), 'tf')
        found = bench.send(table_cloud(stamp=5))
        bench.wait(lambda: bench.heard['parts'])
        parts = bench.heard['parts'][0]
        assert found.header.frame_id == parts.header.frame_id == 'table'
        assert found.header.stamp.nanosec == 5
        places = np.array([[d.bbox.center.position.x, d.bbox.center.position.y]
                           for d in found.detections])
        for (x, y), _ in BOXES:
            assert np.linalg.norm(places - (x, y), axis=1).min() < 0.04
        for item in found.detections:
            turn = item.bbox.center.orientation
            up = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()[:, 2]
            assert up @ (0, 0, 1) > 0.99
            assert item.bbox.center.position.z == pytest.approx(item.bbox.size.z / 2, abs=0.02)
        heights = point_cloud2.read_points(parts)['z']
        assert -0.02 < heights.min() and heights.max() < 0.22


def test_an_unknown_frame_is_told_with_those_that_are_known(bundle, capfd):
    """The cloud is left out rather than published in a wrong frame."""
    with Bench(bundle, output__target_frame='moon') as bench:
        tell_tf(bench)
        bench.activate()
        bench.wait(lambda: heard_tf(bench), 'tf')
        bench.cloud.publish(cloud_message(table_cloud(stamp=1)))
        bench.wait(lambda: bench.node._record.error, 'an error')
        assert "from 'camera' to 'moon'" in bench.node._record.error
        assert 'Frames in tf: camera' in bench.node._record.error
        assert bench.heard['detections'] == []
        bench.node.set_parameters([_parameter(bench, 'output.target_frame', '')])
        assert bench.send(table_cloud(stamp=2)).header.frame_id == 'camera'


@pytest.mark.parametrize('name', ['output.target_frame', 'crop.up_frame', 'tracks.frame'])
def test_a_transform_that_comes_late(bundle, name, capfd):
    """Said once, not for every cloud; from when it is there on, clouds are worked on."""
    with Bench(bundle, **{name.replace('.', '__'): 'table'}) as bench:
        bench.activate()
        for i in range(3):
            bench.node._record.error = ''
            bench.cloud.publish(cloud_message(table_cloud(stamp=i + 1)))
            bench.wait(lambda: bench.node._record.error, 'an error')
        assert "no transform from 'camera' to 'table'" in bench.node._record.error
        tell_tf(bench)
        bench.wait(lambda: heard_tf(bench), 'tf')
        bench.send(table_cloud(stamp=9))
        assert [m.header.stamp.nanosec for m in bench.heard['detections']] == [9]
    assert capfd.readouterr().err.count('cloud left out: no transform') == 1


def test_a_missing_transform_while_the_clock_stands_still(bundle):
    """With simulated time and no clock (a recording that is over), nothing waits for ever."""
    with Bench(bundle, output__target_frame='moon', use_sim_time=True) as bench:
        bench.activate()
        bench.cloud.publish(cloud_message(table_cloud(stamp=1)))
        bench.wait(lambda: bench.node._record.error, 'an error')
        assert bench.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS


def test_a_clock_that_jumps_back(bundle):
    """A recording that starts again: transforms of its end do not count at its start."""
    with Bench(bundle, output__target_frame='table', use_sim_time=True) as bench:
        clock = bench.peer.create_publisher(ClockMessage, '/clock', 1)

        def at(seconds):
            now = bench.node.get_clock().now().nanoseconds
            clock.publish(ClockMessage(clock=Time(sec=seconds)))
            return now == seconds * 10**9
        bench.activate()
        broadcaster = TransformBroadcaster(bench.peer)
        bench.wait(lambda: at(100), 'time')
        broadcaster.sendTransform(_camera_at(100 * 10**9, 5.0))
        bench.wait(lambda: heard_tf(bench), 'tf')
        bench.wait(lambda: at(10), 'time')
        assert not heard_tf(bench)
        broadcaster.sendTransform(_camera_at(10 * 10**9, 0.0))
        bench.wait(lambda: heard_tf(bench), 'tf')
        found = bench.send(table_cloud(stamp=10 * 10**9))
        places = np.array([d.bbox.center.position.x for d in found.detections])
        assert np.abs(places).max() < 0.5


@pytest.mark.parametrize('frame', ['table', ''])
def test_a_sensor_that_moves(bundle, frame):
    """Followed in a frame that stands still, objects keep their ids, and only there."""
    with Bench(bundle, tracks__frame=frame) as bench:
        broadcaster = TransformBroadcaster(bench.peer)
        bench.activate()
        ids = []
        for i in range(3):
            stamp = (i + 1) * 10**9
            # the camera goes to the right, so that everything goes to the left in its frame
            broadcaster.sendTransform(_camera_at(stamp, 0.15 * i))
            bench.wait(lambda: not frame or bench.node._frames._buffer.can_transform(
                'table', 'camera', RclpyTime(nanoseconds=stamp)), 'tf')
            found = bench.send(table_cloud(shift=-0.15 * i, stamp=stamp))
            ids.append([d.id for d in found.detections])
        assert [len(names) for names in ids] == [len(BOXES)] * 3
        kept = set(ids[0]) & set(ids[1]) & set(ids[2])
        assert len(kept) == len(BOXES) if frame else not kept


def test_gravity_by_tf(bundle):
    """The pipeline is told which way the z axis of a frame points, in the camera's frame."""
    with Bench(bundle, crop__up_frame='table') as bench:
        tell_tf(bench)
        bench.activate()
        bench.wait(lambda: heard_tf(bench), 'tf')
        process, ups = bench.node._pipeline.process, []

        def noted(cloud, up, pose):
            ups.append(up)
            return process(cloud, up, pose)
        bench.node._pipeline.process = noted
        assert bench.send(table_cloud()).header.frame_id == 'camera'
        assert ups[0] == pytest.approx(_camera().T @ (0, 0, 1))


def test_in_frame_moves_boxes_only(bundle):
    """Scores, parts and indices stay; a box turned and shifted back is the same box."""
    from foundry_ros.config import Params
    from foundry_ros.student import load_bundle, Student
    frame = Pipeline(Params(), Student(load_bundle(bundle), threads=1)).process(table_cloud())
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler('xyz', [0.3, -1.0, 2.0]).as_matrix()
    matrix[:3, 3] = 1, 2, 3
    there = in_frame(frame, 'there', matrix)
    back = in_frame(there, 'camera', np.linalg.inv(matrix))
    assert there.frame_id == 'there' and len(there.detections) == len(BOXES)
    for a, b, c in zip(frame.detections, there.detections, back.detections):
        assert b.box.center == pytest.approx(matrix[:3, :3] @ a.box.center + matrix[:3, 3])
        assert c.box.center == pytest.approx(a.box.center)
        assert abs(c.box.orientation @ a.box.orientation) == pytest.approx(1)
        assert b.indices is a.indices and b.box.size is a.box.size


def _parameter(bench, name, value):
    """Give a parameter to set."""
    return type(bench.node.get_parameter(name))(name, value=value)
