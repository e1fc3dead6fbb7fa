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

"""The node at work: clouds in by topic, objects and parts out by topic."""

import threading

from foundry_ros.cloud import Cloud
from mock_bundle import CLASSES, make_bundle, PARTS
import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, qos_profile_sensor_data, QoSProfile, ReliabilityPolicy
from ros_bench import Bench, cloud_message, NAME, PATIENCE_S
from sensor_msgs.msg import PointCloud2
from sensor_msgs_py import point_cloud2
from std_srvs.srv import SetBool
from table_scene import BOXES, table_cloud
from vision_msgs.msg import Detection3DArray


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Give a model that takes everything for a cup."""
    return make_bundle(tmp_path_factory.mktemp('bundle'), winner=CLASSES.index('cup'))


def test_a_cloud_becomes_objects_and_parts(bundle):
    """All outputs of one cloud, with its header."""
    topics = ('detections', 'parts', 'markers', 'token_budget')
    with Bench(bundle, topics, token_budget=16) as bench:
        bench.activate().send(table_cloud(stamp=7 * 10**9 + 5), 'token_budget')
        bench.wait(lambda: all(bench.heard.values()))
        found, parts = bench.heard['detections'][0], bench.heard['parts'][0]
        assert found.header.frame_id == parts.header.frame_id == 'camera'
        assert (found.header.stamp.sec, found.header.stamp.nanosec) == (7, 5)
        assert found.header.stamp == parts.header.stamp
        assert [d.results[0].hypothesis.class_id for d in found.detections] == ['cup'] * 3
        assert len({d.id for d in found.detections}) == len(BOXES)
        points = point_cloud2.read_points(parts)
        assert set(points['instance']) == {0, 1, 2}
        assert {PARTS[i] for i in set(points['part'])} <= {'cup/body', 'cup/handle'}
        assert bench.heard['token_budget'][0].data == 16
        assert len(bench.heard['markers'][0].markers) == 1 + 2 * len(BOXES)


def test_ids_are_explained_to_those_who_come_late(bundle):
    """Names of classes and parts are there for whoever subscribes after the start."""
    with Bench(bundle, model__score_threshold=0.25) as bench:
        bench.activate()
        bench.listen('label_info')
        bench.listen('part_info')
        bench.wait(lambda: bench.heard['label_info'] and bench.heard['part_info'])
        for topic, names in (('label_info', CLASSES), ('part_info', PARTS)):
            told = bench.heard[topic][0]
            assert told.threshold == 0.25
            assert {c.class_id: c.class_name for c in told.class_map} == {
                **dict(enumerate(names)), 65535: 'unknown'}


def test_without_listeners_there_is_no_work(bundle):
    """Clouds come in, none is worked on; the first listener changes that."""
    with Bench(bundle, topics=()) as bench:
        bench.activate()
        worked = _count_work(bench)
        for i in range(3):
            bench.cloud.publish(cloud_message(table_cloud(stamp=i)))
            bench.wait(lambda: bench.node._record.received == i + 1, 'a cloud')
        assert worked == []
        bench.listen('detections')
        bench.wait(bench.connected)
        bench.send(table_cloud(stamp=9))
        assert worked == [9]


def test_the_latest_cloud_replaces_the_one_that_waits(bundle):
    """Of what arrives during the work only the last is worked on."""
    with Bench(bundle) as bench:
        bench.activate()
        process, go, stamps = bench.node._pipeline.process, threading.Event(), []

        def slow(cloud, *where):
            stamps.append(cloud.stamp)
            assert go.wait(PATIENCE_S)
            return process(cloud, *where)
        bench.node._pipeline.process = slow
        bench.cloud.publish(cloud_message(table_cloud(stamp=1)))
        bench.wait(lambda: stamps == [1])
        for stamp in (2, 3, 4):
            bench.cloud.publish(cloud_message(table_cloud(stamp=stamp)))
            bench.wait(lambda: bench.node._record.received == stamp)
        go.set()
        bench.wait(lambda: len(bench.heard['detections']) == 2)
        assert stamps == [1, 4]
        assert bench.node._record.dropped == 2


def test_enable_switches_the_work(bundle):
    """Paused by the service, nothing is worked on; resumed, it goes on."""
    with Bench(bundle) as bench:
        bench.activate()
        worked = _count_work(bench)
        answer = bench.call(SetBool, 'enable', data=False)
        assert answer.success and 'paused' in answer.message
        bench.cloud.publish(cloud_message(table_cloud(stamp=1)))
        bench.wait(lambda: bench.node._record.received == 1, 'a cloud')
        assert bench.call(SetBool, 'enable', data=True).success
        bench.send(table_cloud(stamp=2))
        assert worked == [2]


def test_bad_clouds_do_not_stop_the_node(bundle, capfd):
    """A cloud without x is left out with a line; nothing but NaN is a cloud without objects."""
    with Bench(bundle) as bench:
        bench.activate()
        broken = cloud_message(table_cloud())
        broken.fields[0].name = 'intensity'
        bench.cloud.publish(broken)
        bench.wait(lambda: bench.node._record.error, 'an error')
        assert 'no field x' in bench.node._record.error
        nothing = Cloud(np.full((12, 3), np.nan, np.float32), 3, 4, 'camera', 5)
        assert bench.send(nothing).detections == []
        assert len(bench.send(table_cloud(stamp=6)).detections) == len(BOXES)
        assert bench.node._record.error == ''
    said = capfd.readouterr().err
    assert 'cloud left out' in said and 'Traceback' not in said


def test_defects_are_told_and_survived(bundle, capfd):
    """Whatever goes wrong in the pipeline, the next cloud is worked on."""
    with Bench(bundle) as bench:
        bench.activate()
        process = bench.node._pipeline.process

        def breaks(cloud, *where):
            bench.node._pipeline.process = process
            raise RuntimeError('deliberate')
        bench.node._pipeline.process = breaks
        bench.cloud.publish(cloud_message(table_cloud(stamp=1)))
        bench.wait(lambda: bench.node._record.error, 'an error')
        assert len(bench.send(table_cloud(stamp=2)).detections) == len(BOXES)
    assert 'RuntimeError: deliberate' in capfd.readouterr().err


def test_old_clouds_are_left_out(bundle):
    """A cloud from 1970 is older than a second."""
    with Bench(bundle, output__max_input_age=1.0) as bench:
        bench.activate()
        bench.cloud.publish(cloud_message(table_cloud(stamp=1)))
        bench.wait(lambda: 'max_input_age' in bench.node._record.error, 'an error')
        now = bench.node.get_clock().now().nanoseconds
        assert len(bench.send(table_cloud(stamp=now)).detections) == len(BOXES)


def test_while_nothing_is_published_the_topics_are_named(bundle, capfd):
    """The warning names the topic that is waited for and those that there are."""
    with Bench(bundle) as bench:
        bench.peer.destroy_publisher(bench.cloud)
        other = bench.peer.create_publisher(PointCloud2, '/else/points', 1)
        bench.node.trigger_configure()
        bench.node.trigger_activate()
        said = _wait_for_line(bench, capfd, 'nothing is published')
        assert f'on {NAME}/input' in said and other.topic_name in said
        assert f'{NAME}/parts' not in said


def test_a_publisher_of_which_nothing_arrives(bundle, capfd):
    """A reliable input never hears a best-effort publisher, and that is told."""
    with Bench(bundle) as bench:
        bench.peer.destroy_publisher(bench.cloud)
        bench.peer.create_publisher(PointCloud2, f'{NAME}/input', qos_profile_sensor_data)
        bench.node.trigger_configure()
        bench.node.trigger_activate()
        said = _wait_for_line(bench, capfd, 'has a publisher, but no cloud arrives')
        assert 'output.input_reliability' in said and 'net.core.rmem_max' in said


def test_quality_of_service_that_does_not_match_is_reported(bundle, capfd):
    """A publisher that offers less than is asked for, a subscriber that asks for too much."""
    with Bench(bundle) as bench:
        bench.peer.destroy_publisher(bench.cloud)
        bench.peer.create_publisher(PointCloud2, f'{NAME}/input', qos_profile_sensor_data)
        bench.node.trigger_configure()
        bench.node.trigger_activate()
        said = _wait_for_line(bench, capfd, f"'{NAME}/input', offering incompatible QoS")
        assert '[WARN]' in said and 'RELIABILITY' in said
        bench.peer.create_subscription(
            Detection3DArray, f'{NAME}/detections', print,
            QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        said = _wait_for_line(bench, capfd, f"'{NAME}/detections', requesting incompatible QoS")
        assert '[WARN]' in said and 'DURABILITY' in said


@pytest.mark.parametrize('offered', [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
def test_the_input_follows_what_is_offered(bundle, offered):
    """Best effort as sensors have it, reliable where every publisher offers it; and back."""
    def asked():
        told = bench.peer.get_subscriptions_info_by_topic(f'{NAME}/input')
        return [info.qos_profile.reliability for info in told]
    with Bench(bundle, output__input_reliability='auto') as bench:
        bench.peer.destroy_publisher(bench.cloud)
        bench.node.trigger_configure()
        bench.node.trigger_activate()
        bench.wait(lambda: asked() == [ReliabilityPolicy.BEST_EFFORT])
        bench.cloud = bench.peer.create_publisher(
            PointCloud2, f'{NAME}/input', QoSProfile(depth=1, reliability=offered))
        bench.wait(lambda: asked() == [offered])
        bench.wait(bench.connected)
        bench.wait(lambda: bench.heard['detections']
                   or bench.cloud.publish(cloud_message(table_cloud(stamp=1))))
        bench.peer.create_publisher(PointCloud2, f'{NAME}/input', qos_profile_sensor_data)
        bench.wait(lambda: asked() == [ReliabilityPolicy.BEST_EFFORT])


def _wait_for_line(bench, capfd, text):
    """Give the first line of the log that has a text."""
    said = []

    def there():
        said.extend(line for line in capfd.readouterr().err.splitlines() if text in line)
        return said
    bench.wait(there, f'the line {text!r}')
    return said[0]


def _count_work(bench):
    """Record the stamps of the clouds that are worked on from now on."""
    stamps = []
    process = bench.node._pipeline.process

    def counted(cloud, *where):
        stamps.append(cloud.stamp)
        return process(cloud, *where)
    bench.node._pipeline.process = counted
    return stamps
