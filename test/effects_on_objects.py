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

"""
What each parameter of finding, following and naming objects does: ``EFFECTS``, name -> test.

Each is called with a function that makes a :class:`ros_bench.Bench`; it sets the parameter
through ROS while the node works, and tells its effect by what the node publishes for the next
cloud.
"""

from dataclasses import replace

from depth_camera import HEIGHT, look, WIDTH
from foundry_ros.cloud import Cloud
from geometry_msgs.msg import TransformStamped
from mock_bundle import CLASSES
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from table_scene import BOXES, table_cloud
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

S = 10**9
NOTHING = Cloud(np.full((20, 3), np.nan, np.float32), 4, 5, 'camera')
FLAT = replace(table_cloud(), height=1, width=len(table_cloud().xyz))
STEP = Cloud(look(((0, 0.2, 0, 0.98, 0.9, 0.1), (0.1, 0.3, 0.1, 0.1, 0.1, 0.15),
                   (-0.2, -0.25, 0, 0.1, 0.1, 0.1)), far=2)[0], HEIGHT, WIDTH, 'camera')
STACK = Cloud(look(((0, 0, 0, 0.16, 0.16, 0.12), (0, 0, 0.12, 0.1, 0.1, 0.2)))[0], HEIGHT, WIDTH,
              'camera')
EFFECTS = {}


def effect(name):
    """Enter what shows the effect of a parameter."""
    def enter(function):
        EFFECTS[name] = function
        return function
    return enter


def at(cloud, seconds) -> Cloud:
    """Give a cloud another stamp."""
    return replace(cloud, stamp=int(seconds * S))


def counts(name, value, expected, cloud=None, before=len(BOXES)):
    """Enter a parameter that changes how many objects there are."""
    @effect(name)
    def test(make):
        with make() as bench:
            shown = cloud or table_cloud()
            assert len(bench.send(at(shown, 1)).detections) == before
            bench.set(name, value)
            assert len(bench.send(at(shown, 2)).detections) == expected


counts('crop.min_range', 2.0, 0)
counts('crop.max_range', 0.5, 0)
counts('objects.mode', 'lidar', 1)  # to its eyes, the table is no ground
counts('objects.min_points', 800, 2)
counts('objects.min_size', 0.19, 2)
counts('objects.max_size', 0.16, 1)
counts('objects.max_objects', 1, 1)
counts('objects.surface_distance', 0.16, 0)
counts('objects.max_surfaces', 1, 1, STEP)


def bounds(name):
    """Enter a side of the region of interest: what is beyond the middle object's centre goes."""
    @effect(f'crop.{name}')
    def test(make):
        side, axis = name.split('_')
        with make() as bench:
            before = sorted(_centers(bench.send(at(table_cloud(), 1)), axis))
            bench.set(f'crop.{name}', before[1])
            after = _centers(bench.send(at(table_cloud(), 2)), axis)
            assert 0 < len(after) <= len(before) and before[0 if side == 'min' else 2] not in (
                pytest.approx(c, abs=1e-3) for c in after)
            assert all(c >= before[1] if side == 'min' else c <= before[1] for c in after)


for each in ('min_x', 'max_x', 'min_y', 'max_y', 'min_z', 'max_z'):
    bounds(each)


def _centers(message, axis):
    return [getattr(d.bbox.center.position, axis) for d in message.detections]


def _upright(message):
    """Give the z axes of the boxes."""
    turns = [d.bbox.center.orientation for d in message.detections]
    return [Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()[:, 2] for q in turns]


def _ids(message):
    return {d.id for d in message.detections}


def _labels(message):
    return {d.results[0].hypothesis.class_id if d.results else '' for d in message.detections}


@effect('crop.up')
def crop_up(make):
    """Boxes stand along the direction that is set."""
    with make() as bench:
        assert _upright(bench.send(at(table_cloud(), 1)))[0] @ (1, 0, 0) < 0.1
        bench.set('crop.up', '1,0,0')
        assert _upright(bench.send(at(table_cloud(), 2)))[0] @ (1, 0, 0) > 0.99


def transform(parent, shift=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0, 1.0), seconds=0):
    """Say where the camera is."""
    told = TransformStamped(child_frame_id='camera')
    told.header.frame_id, told.header.stamp.sec = parent, seconds
    told.transform.translation.x, told.transform.translation.y, _ = shift
    rotation = told.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = turn
    return told


def _knows(bench, text):
    """Wait until the node has heard of a frame."""
    bench.wait(lambda: bench.node._frames._buffer is not None
               and text in bench.node._frames._buffer.all_frames_as_yaml(), 'tf')


@effect('crop.up_frame')
def crop_up_frame(make):
    """Boxes stand along the z axis of that frame, which is the camera's x axis here."""
    with make() as bench:
        bench.send(at(table_cloud(), 1))
        turn = Rotation.from_euler('y', -90, degrees=True).as_quat()
        bench.tf = StaticTransformBroadcaster(bench.peer)
        bench.tf.sendTransform(transform('rolled', turn=turn))
        bench.set('crop.up_frame', 'rolled')
        _knows(bench, 'rolled')
        assert _upright(bench.send(at(table_cloud(), 2)))[0] @ (1, 0, 0) > 0.99


@effect('objects.voxel_size')
def voxel_size(make):
    """Of a cloud without rows, larger voxels find other points."""
    with make(topics=('detections', 'parts')) as bench:
        before = bench.send(at(FLAT, 1), 'parts').width
        bench.set('objects.voxel_size', 0.05)
        assert abs(bench.send(at(FLAT, 2), 'parts').width / before - 1) > 0.1


@effect('objects.remove_surfaces')
def remove_surfaces(make):
    """Without support surface, up is guessed from the camera's position."""
    with make() as bench:
        assert _upright(bench.send(at(table_cloud(), 1)))[0] @ (0, -1, 0) < 0.9
        bench.set('objects.remove_surfaces', False)
        assert _upright(bench.send(at(table_cloud(), 2)))[0] @ (0, -1, 0) > 0.99


@effect('objects.max_height')
def max_height(make):
    """Nothing reaches higher above the table."""
    with make() as bench:
        def heights(message):
            return max(d.bbox.size.z for d in message.detections)
        assert heights(bench.send(at(table_cloud(), 1))) > 0.18
        bench.set('objects.max_height', 0.12)
        assert heights(bench.send(at(table_cloud(), 2))) < 0.13


@effect('objects.merge')
def merge(make):
    """Pieces that only together have a name come apart."""
    sizes = {**{name: [5.0, 6.0] for name in CLASSES}, 'cup': [0.28, 0.4]}
    with make({'class_sizes': sizes}) as bench:
        assert _labels(bench.send(at(STACK, 1))) == {'cup'}
        bench.set('objects.merge', False)
        assert len(bench.send(at(STACK, 2)).detections) == 2


@effect('tracks.enabled')
def tracks_enabled(make):
    """Ids count from 1 in every cloud."""
    with make() as bench:
        bench.send(at(table_cloud(boxes=BOXES[:1]), 1))
        assert _ids(bench.send(at(table_cloud(0.3, boxes=BOXES[:1]), 2))) == {'2'}
        bench.set('tracks.enabled', False)
        assert _ids(bench.send(at(table_cloud(0.3, boxes=BOXES[:1]), 3))) == {'1'}


@effect('tracks.frame')
def tracks_frame(make):
    """Move the camera by 0.4 m between two clouds: in the frame odom nothing moved."""
    with make() as bench:
        assert _ids(bench.send(at(table_cloud(), 0.5))) == {'1', '2', '3'}
        bench.set('tracks.frame', 'odom')
        bench.tf = TransformBroadcaster(bench.peer)

        def heard():
            bench.tf.sendTransform([transform('odom', seconds=1),
                                    transform('odom', (0.4, 0.0, 0.0), seconds=2)])
            return bench.node._frames._buffer.can_transform('odom', 'camera', _time(2))
        bench.wait(heard, 'tf')
        before = _ids(bench.send(at(table_cloud(), 1)))
        assert _ids(bench.send(at(table_cloud(-0.4), 2))) == before


def _time(seconds):
    from rclpy.time import Time
    return Time(seconds=seconds)


@effect('tracks.max_distance')
def max_distance(make):
    """Take a box that moves by 0.2 m for another one, or for the same."""
    with make() as bench:
        assert _ids(bench.send(at(table_cloud(boxes=BOXES[:1]), 1))) == {'1'}
        assert _ids(bench.send(at(table_cloud(0.2, boxes=BOXES[:1]), 2))) == {'2'}
        bench.set('tracks.max_distance', 0.3)
        assert _ids(bench.send(at(table_cloud(0.4, boxes=BOXES[:1]), 3))) == {'2'}


@effect('tracks.smoothing')
def smoothing(make):
    """Without a past the scores are those of the cloud, whatever was seen before."""
    first, second = (at(table_cloud(boxes=(((0.0, 0.0), edges),)), seconds) for edges, seconds in (
        ((0.12, 0.1, 0.15), 1), ((0.17, 0.1, 0.1), 2)))
    scores = []
    for changes in ({'tracks.enabled': False}, {}, {'tracks.smoothing': 0.0}):
        with make(winner=None) as bench:
            bench.send(first)
            for name, value in changes.items():
                bench.set(name, value)
            scores.append(bench.send(second).detections[0].results[0].hypothesis.score)
    fresh, smoothed, without = scores
    assert without == pytest.approx(fresh, abs=1e-6) != pytest.approx(smoothed, abs=1e-6)


@effect('tracks.refresh_s')
def refresh_s(make):
    """Look at what has settled in every cloud, or for a long time not at all."""
    with make() as bench:
        for i in range(8):
            bench.send(at(table_cloud(), 1 + i / 1000))
        assert bench.node._record.frame.looks == 0
        bench.set('tracks.refresh_s', 0.0)
        bench.send(at(table_cloud(), 1.01))
        assert bench.node._record.frame.looks == len(BOXES)


@effect('tracks.max_missed')
def max_missed(make):
    """After an empty cloud the objects are the same, or others."""
    with make() as bench:
        assert _ids(bench.send(at(table_cloud(), 1))) == {'1', '2', '3'}
        bench.send(at(NOTHING, 2))
        assert _ids(bench.send(at(table_cloud(), 3))) == {'1', '2', '3'}
        bench.set('tracks.max_missed', 0)
        bench.send(at(NOTHING, 4))
        assert _ids(bench.send(at(table_cloud(), 5))) == {'4', '5', '6'}


def names(name, value, before, after, manifest=None):
    """Enter a parameter that changes what the objects are called."""
    @effect(name)
    def test(make):
        with make(manifest) as bench:
            assert _labels(bench.send(at(table_cloud(), 1))) == {before}
            bench.set(name, value)
            assert _labels(bench.send(at(table_cloud(), 2))) == {after}


names('model.score_threshold', 1.0, 'cup', 'unknown')
names('model.min_points', 10**6, 'cup', 'unknown')
names('model.use_size', False, 'unknown', 'cup', {'class_sizes': {'cup': [1.0, 2.0]}})
