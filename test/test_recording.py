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

"""Recordings: all kinds of bags open, and what is wrong with one is said in one line."""

import random
import sys

from cloud_messages import grid, SHARED, shared
from foundry_ros.cloud import fields_to_bytes, finite_mask
from foundry_ros.detection_writer import message
from foundry_ros.recording import open_recording, RecordingError
import numpy as np
import pytest

rosbags = pytest.importorskip('rosbags', reason='bags are read by rosbags')
mcap = pytest.importorskip('mcap.writer', reason='the bags of these tests are written by mcap')

from rosbags import rosbag1, rosbag2  # noqa: E402
from rosbags.typesys import get_typestore, Stores  # noqa: E402

CLOUD, TEXT = 'sensor_msgs/msg/PointCloud2', 'std_msgs/msg/String'
ROS1, ROS2 = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_HUMBLE)


def cloud_message(number, store=ROS2, **changes):
    """Give the number-th cloud of a bag; its first x is that number."""
    array = grid()
    array['x'][0, 0] = number
    stamp = {'sec': 100 + number, 'nanosec': 5}
    return message(store, CLOUD, {'header': {'stamp': stamp, 'frame_id': 'camera'},
                                  **fields_to_bytes(array), **changes})


def write(writer, serialise, store, counts, **changes):
    """Write so many clouds a topic, and one text."""
    with writer:
        text = writer.add_connection('/chatter', TEXT, typestore=store)
        writer.write(text, 10**9, serialise(store.types[TEXT]('hello'), TEXT))
        for topic, count in counts.items():
            connection = writer.add_connection(topic, CLOUD, typestore=store)
            for i in range(count):
                content = serialise(cloud_message(i, store, **changes), CLOUD)
                writer.write(connection, (i + 1) * 10**9, content)


def ros2_bag(path, counts, plugin='MCAP', mode='NONE', **changes):
    """Write a rosbag2 folder."""
    writer = rosbag2.Writer(path, version=9, storage_plugin=rosbag2.StoragePlugin[plugin])
    writer.set_compression(rosbag2.CompressionMode[mode], rosbag2.CompressionFormat.ZSTD)
    write(writer, ROS2.serialize_cdr, ROS2, counts, **changes)
    return path


def ros1_bag(path, counts, compression=None):
    """Write a ROS 1 bag."""
    writer = rosbag1.Writer(path)
    if compression:
        writer.set_compression(rosbag1.Writer.CompressionFormat[compression])
    write(writer, ROS1.serialize_ros1, ROS1, counts)
    return path


def bare_mcap(path, count, **options):
    """Write an .mcap file as other tools do."""
    with open(path, 'wb') as stream:
        writer = mcap.Writer(stream, **options)
        writer.start(profile='ros2')
        text = ROS2.generate_msgdef(CLOUD, ros_version=2)[0].encode()
        channel = writer.register_channel('/points', 'cdr',
                                          writer.register_schema(CLOUD, 'ros2msg', text))
        for i in range(count):
            data = bytes(ROS2.serialize_cdr(cloud_message(i), CLOUD))
            writer.add_message(channel, (i + 1) * 10**9, data, 0)
        writer.finish()
    return path


def check(path, count=3):
    """Read a recording from the start, twice."""
    with open_recording(path) as recording:
        assert recording.topic == '/points'
        assert len(recording) == count
        for _ in range(2):
            clouds = list(recording)
            assert [cloud.xyz[0, 0] for cloud in clouds] == list(range(count))
            assert [cloud.stamp for cloud in clouds] == [(100 + i) * 10**9 + 5
                                                         for i in range(count)]
            assert {(c.frame_id, c.height, c.width) for c in clouds} == {('camera', 3, 4)}


@pytest.mark.parametrize('plugin, mode', [
    ('MCAP', 'NONE'), ('MCAP', 'STORAGE'), ('SQLITE3', 'NONE'), ('SQLITE3', 'FILE'),
    ('SQLITE3', 'MESSAGE'), ('MCAP', 'MESSAGE')])
def test_rosbag2_folder(tmp_path, plugin, mode):
    """Both storages, plain and compressed as a whole, by chunk and by message."""
    bag = ros2_bag(tmp_path / 'bag', {'/points': 3}, plugin, mode)
    check(bag)
    check(bag / 'metadata.yaml')


@pytest.mark.parametrize('plugin, suffix', [('MCAP', 'mcap'), ('SQLITE3', 'db3')])
def test_storage_file_alone(tmp_path, plugin, suffix):
    """A file outside of its folder opens, and a folder without metadata that holds only it."""
    bag = ros2_bag(tmp_path / 'bag', {'/points': 3}, plugin)
    check(bag / f'bag.{suffix}')
    (bag / 'metadata.yaml').unlink()
    check(bag)
    with open_recording(bag) as recording:
        assert recording.notice == f'reading {bag}/bag.{suffix}'


@pytest.mark.parametrize('options', [
    {'compression': mcap.CompressionType.LZ4}, {'compression': mcap.CompressionType.ZSTD},
    {'compression': mcap.CompressionType.NONE, 'chunk_size': 1}, {'use_chunking': False},
    {'use_statistics': False, 'use_summary_offsets': False},
    {'index_types': mcap.IndexType.NONE, 'use_statistics': False, 'repeat_channels': False,
     'repeat_schemas': False, 'use_summary_offsets': False}])
def test_mcap_of_other_tools(tmp_path, options):
    """Compression, chunks, index and summary of MCAP are all optional."""
    check(bare_mcap(tmp_path / 'a.mcap', 3, **options))


@pytest.mark.parametrize('compression', [None, 'BZ2', 'LZ4'])
def test_ros1_bag(tmp_path, compression):
    """Bags of ROS 1 open, compressed or not."""
    check(ros1_bag(tmp_path / 'a.bag', {'/points': 3}, compression))


def test_topics_and_choice(tmp_path):
    """The topic with most clouds is read, and the others are named."""
    bag = ros2_bag(tmp_path / 'bag', {'/left': 2, '/right': 3})
    with open_recording(bag) as recording:
        assert (recording.topic, len(recording)) == ('/right', 3)
        assert recording.topics == {'/chatter': TEXT, '/left': CLOUD, '/right': CLOUD}
        assert '/left (2 clouds)' in recording.notice and '\n' not in recording.notice
    with open_recording(bag, '/left') as recording:
        assert (recording.topic, len(recording), recording.notice) == ('/left', 2, '')


@pytest.mark.parametrize('topic, line', [
    ('/point', r'no topic /point \(did you mean /points\?\).*/points \(1 cloud\)'),
    ('/chatter', '/chatter in .* holds std_msgs/msg/String.*/points'),
    ('/other', 'no topic /other; its PointCloud2 topics: /empty .0 clouds., /points .1 cloud.$'),
    ('/empty', 'no cloud was recorded on /empty')])
def test_wrong_topic(tmp_path, topic, line):
    """The topics that there are are named."""
    bag = ros2_bag(tmp_path / 'bag', {'/points': 1, '/empty': 0})
    refused(bag, line, topic)


def refused(path, line, topic=None):
    """Expect a RecordingError of one line, at opening or while reading."""
    with pytest.raises(RecordingError, match=line) as error:
        with open_recording(path, topic) as recording:
            list(recording)
    assert '\n' not in str(error.value)


def test_no_clouds(tmp_path):
    """The topics of a bag without clouds are named."""
    bag = ros2_bag(tmp_path / 'bag', {})
    refused(bag, r'no PointCloud2; its topics: /chatter \(std_msgs/msg/String\)')


def test_cloud_without_coordinates(tmp_path):
    """A cloud that cannot be read is named by number and topic."""
    fields = [{'name': 'u', 'offset': 0, 'datatype': 7, 'count': 1}]
    bag = ros2_bag(tmp_path / 'bag', {'/points': 1}, fields=fields)
    refused(bag, 'cloud 1 of /points .* no field x, y, z; its fields: u')


def test_not_there_or_no_recording(tmp_path):
    """Missing, of another kind, or a folder of nothing."""
    refused(tmp_path / 'a.mcap', 'there is no recording')
    (tmp_path / 'a.txt').write_text('x')
    refused(tmp_path / 'a.txt', 'is no recording: a rosbag2 folder')
    refused(tmp_path, 'is no recording')
    ros2_bag(tmp_path / 'one', {'/points': 1})
    ros1_bag(tmp_path / 'two.bag', {'/points': 1})
    refused(tmp_path, 'holds several bags, name one: one, two.bag')


@pytest.mark.parametrize('name', ['a.mcap', 'a.db3', 'a.bag', 'a.pcd', 'a.ply', 'metadata.yaml'])
@pytest.mark.parametrize('content', [b'\0' * 100, b'rosbag2_bagfile_information: 3\n'])
def test_foreign_content(tmp_path, name, content):
    """A file is no recording because of its name."""
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, 'cannot read')


@pytest.mark.parametrize('name', ['a.mcap', 'a.db3', 'a.bag', 'a.pcd', 'a.ply'])
def test_empty_files(tmp_path, name):
    """They are called empty, alone and in their folder; nothing can be recovered from them."""
    (tmp_path / name).touch()
    for path in (tmp_path / name, tmp_path):
        refused(path, f'{name}(:.it)? is empty(: nothing was recorded into it)?$')


def test_remedy_for_a_folder(tmp_path):
    """A folder whose .mcap was cut short: that file is what can be recovered."""
    file = ros2_bag(tmp_path / 'bag', {'/points': 1}) / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:-100])
    refused(tmp_path / 'bag', 'try: mcap recover .*bag.bag.mcap -o recovered.mcap')


@pytest.mark.parametrize('kind', ['bag', 'mcap', 'db3'])
def test_cut_and_damaged_bags(tmp_path, kind):
    """Bags cut anywhere are refused; damaged ones are read or refused, never anything else."""
    if kind == 'bag':
        whole = ros1_bag(tmp_path / 'a.bag', {'/points': 3}).read_bytes()
    else:
        bag = ros2_bag(tmp_path / 'bag', {'/points': 3}, {'mcap': 'MCAP', 'db3': 'SQLITE3'}[kind])
        whole = (bag / f'bag.{kind}').read_bytes()
    path, chance = tmp_path / f'damaged.{kind}', random.Random(1)
    for _ in range(30):
        path.write_bytes(whole[:chance.randrange(len(whole) - 100)])
        refused(path, 'cannot read')
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 10])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            with open_recording(path) as recording:
                list(recording)
        except RecordingError as error:
            assert '\n' not in str(error)


def test_fewer_clouds_than_declared(tmp_path):
    """A bag that ends early does not pass for a short one."""
    bag = ros2_bag(tmp_path / 'bag', {'/points': 2}, 'SQLITE3')
    metadata = bag / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('message_count: 2', 'message_count: 9'))
    refused(bag, '2 of 9 clouds')


def test_without_rosbags(tmp_path, monkeypatch):
    """The extra that brings rosbags is named."""
    bag = ros1_bag(tmp_path / 'a.bag', {'/points': 1})
    monkeypatch.setitem(sys.modules, 'rosbags', None)
    refused(bag, r"rosbags, which is not installed: pip install 'foundry_ros\[replay\]'")


@pytest.mark.parametrize('name, topic, clouds, finite', [
    ('tabletop_kinect', '/camera/depth/points', 8, 182292),
    ('kinect_3frames', '/camera/depth_registered/points', 3, 271575),
    ('watercan.bag', '/euclidean_cluster_indices_decomposer/output00', 1, 13966),
    ('watercan_ros2', '/euclidean_cluster_indices_decomposer/output00', 1, 13966)])
def test_real_recordings(name, topic, clouds, finite):
    """Real recordings of ROS 1 and 2 open with their points, colours and times."""
    with open_recording(shared('bags', name)) as recording:
        assert (recording.topic, len(recording)) == (topic, clouds)
        stamps = []
        for i, cloud in enumerate(recording):
            assert i or finite_mask(cloud.xyz).sum() == finite
            assert cloud.rgb.shape == cloud.xyz.shape and cloud.frame_id
            stamps.append(cloud.stamp)
    assert stamps == sorted(set(stamps)) and stamps[0] > 10**18


def test_real_cut_bag(tmp_path):
    """Half of a real recording is refused."""
    shared('bags')
    for source in ('watercan.bag', 'tabletop_kinect/tabletop_kinect.mcap'):
        whole = (SHARED / 'bags' / source).read_bytes()
        path = tmp_path / source.split('/')[-1]
        path.write_bytes(whole[:len(whole) // 2])
        refused(path, 'cannot read')


def test_damage_in_the_middle_is_found_while_reading(tmp_path):
    """The clouds before it come out, then the error."""
    bag = ros2_bag(tmp_path / 'bag', {'/points': 3}, 'SQLITE3')
    import sqlite3
    with sqlite3.connect(bag / 'bag.db3') as database:
        database.execute('UPDATE messages SET data = ? WHERE timestamp = ?', (b'\0\1', 2 * 10**9))
    database.close()
    clouds = []
    with pytest.raises(RecordingError, match='cannot read'):
        with open_recording(bag) as recording:
            for cloud in recording:
                clouds.append(cloud)
    assert np.isfinite(clouds[0].xyz).all() and len(clouds) == 1
