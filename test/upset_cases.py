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

"""What upsets a node, case by case; each does it, and what must hold meanwhile it asserts."""

from contextlib import suppress
import itertools
import random
import shutil
import time

from cloud_mutations import mutant
from diagnostic_msgs.msg import DiagnosticArray
from foundry_ros.cloud import Cloud
from foundry_ros.config import table
from live_node import BEST_EFFORT, PERIOD_S, RELIABLE, TABLE
import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_bench import cloud_message
from rosgraph_msgs.msg import Clock
from rosidl_runtime_py import set_message_fields
from sensor_msgs.msg import PointCloud2, PointField
from table_scene import HEIGHT, table_cloud, WIDTH
from upset_peers import CHANGES

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def publisher_dies(upset):
    """Kill it while it sends; another one comes in its place."""
    upset.peer.node.destroy_publisher(upset.peer.cloud)
    sensor = upset.other('clouds')
    upset.peer.wait(lambda: upset.peer.heard, 'an answer')
    sensor.kill()
    sensor.wait()
    upset.peer.cloud = upset.peer.publisher(RELIABLE)


def other_qos(upset):
    """Best effort, kept for late ones, and reliable again, each heard within two seconds."""
    for qos in (BEST_EFFORT, LATCHED, RELIABLE):
        upset.published_by(qos)
        taken = upset.peer.good()
        assert taken < 2, f'{taken:.1f} s after the change to {qos.reliability.name}'


def two_publishers(upset):
    """Two sensors of different resolution: each answer is of the frame of its cloud."""
    xyz = table_cloud().xyz.reshape(HEIGHT, WIDTH, 3)[::2, ::2]
    small = cloud_message(Cloud(xyz.reshape(-1, 3), *xyz.shape[:2], 'other'))
    second, frames, before = upset.peer.publisher(BEST_EFFORT), {}, upset.node.said()
    sensors = itertools.cycle([(TABLE, upset.peer.cloud), (small, second)])

    def one():
        message, by = next(sensors)
        frames[upset.peer.send(message, by=by)] = message.header.frame_id

    def answered():
        heard = upset.peer.heard
        return {(heard[s].header.frame_id, frames[s]) for s in {*heard} & {*frames}}
    try:
        upset.run(3, one, PERIOD_S / 2, lambda: len(answered()) > 1)
    finally:
        upset.peer.node.destroy_publisher(second)
    assert answered() == {('camera', 'camera'), ('other', 'other')}
    assert 'start a node for each' in upset.node.said()[len(before):]


def clock_back(upset):
    """Play a recording in a loop: /clock and stamps start again, three times."""
    clock, start, now = upset.peer.node.create_publisher(Clock, '/clock', 10), 100 * 10**9, 0
    told = []
    diagnostics = upset.peer.node.create_subscription(DiagnosticArray, '/diagnostics',
                                                      told.append, 10)
    assert all(r.successful for r in upset.peer.set(
        use_sim_time=True, output__max_input_age=0.5))

    def tick():
        nonlocal now
        now += 10**8
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(start + now, 10**9)
        clock.publish(message)
        return start + now
    for _ in range(3):
        now = 0
        upset.run(2, lambda: upset.peer.send(TABLE, tick()))
        upset.peer.heard.clear()
        taken = upset.peer.good(stamp=tick)
        assert taken < 2, f'{taken:.1f} s after the clock went back'
    told.clear()
    upset.run(2 / upset.scale, lambda: upset.peer.send(TABLE, tick()))
    assert told, 'no diagnostics after the clock went back'
    upset.peer.node.destroy_subscription(diagnostics)
    assert all(r.successful for r in upset.peer.set(
        use_sim_time=False, output__max_input_age=0.0))
    upset.peer.node.destroy_publisher(clock)


def burst(upset):
    """Send a hundred clouds a second; the last one is answered."""
    upset.run(5, lambda: upset.peer.send(TABLE), 0.01)
    last = upset.peer.send(TABLE)
    upset.peer.wait(lambda: last in upset.peer.heard, 'an answer to the last cloud', 2)


def huge(upset, organised=True, edge=2000):
    """Send a cloud of 4 million points."""
    near = np.linspace(-1, 1, edge, dtype=np.float32)
    xyz = np.empty((edge, edge, 3), np.float32)
    xyz[..., 0], xyz[..., 1], xyz[..., 2] = near, near[:, None], 1.5 + 0.1 * near[:, None]
    xyz[edge // 2:edge // 2 + edge // 8, edge // 2:edge // 2 + edge // 8, 2] -= 0.2
    shape = (edge, edge) if organised else (1, edge * edge)
    upset.peer.wait(upset.peer.heard_reliably, 'a reliable input')  # or pieces would be lost
    stamp = upset.peer.send(cloud_message(Cloud(xyz.reshape(-1, 3), *shape, 'camera')))
    upset.peer.wait(lambda: stamp in upset.peer.heard, 'an answer to the large cloud')


def huge_unorganised(upset, edge=2000):
    """Another of 4 million points, without rows."""
    huge(upset, False, edge)


def bad_clouds(upset):
    """Empty ones, nothing but NaN, and thousands that contradict themselves."""
    rng, before = random.Random(0), upset.node.said()
    nothing = [cloud_message(Cloud(np.full((n, 3), np.nan, np.float32), 1, n, 'camera'))
               for n in (0, 1, 30000)]
    upset.run(2, lambda: upset.peer.send(rng.choice(nothing)), 0.01)
    upset.run(10, lambda: upset.peer.cloud.publish(_spoilt(rng)), 0.005)
    assert 'cloud left out' in upset.node.said()[len(before):]


def _spoilt(rng) -> PointCloud2:
    """Give a spoilt message, of those that ROS can send."""
    while True:
        spoilt = mutant(rng)['message']
        message = PointCloud2()
        try:
            for name in ('height', 'width', 'is_bigendian', 'point_step', 'row_step', 'is_dense'):
                setattr(message, name, getattr(spoilt, name))
            message.data.frombytes(spoilt.data)
            message.fields = [PointField(**vars(each)) for each in spoilt.fields]
            set_message_fields(message.header, {
                'frame_id': spoilt.header.frame_id, 'stamp': vars(spoilt.header.stamp)})
        except (AssertionError, ValueError, UnicodeError):
            continue
        return message


def killed(upset):
    """Killed with -9 and started again by hand."""
    upset.node.kill()
    upset.node.start()
    upset.peer.bring_up()


def respawned(upset):
    """Killed with -9 and started again by its launch file: it is at work again by itself."""
    start, before = time.monotonic(), upset.node.started()
    upset.node.kill()
    upset.peer.wait(lambda: upset.node.started() > before, 'a new start')
    upset.peer.heard.clear()
    upset.peer.good()
    return f'passed, at work again {time.monotonic() - start:.1f} s after it was killed'


def bundle_changes(upset):
    """
    Replace the model's folder by another, by garbage, and empty it.

    The running node goes on; configured anew it takes what is there, or says in one line why
    not, and can be asked again.
    """
    kept = upset.bundle.with_name('kept')
    upset.bundle.rename(kept)
    try:
        for content, works in ((_another, True), (_garbage, False), (_empty, False)):
            content(upset)
            assert upset.peer.good() < 2
            assert upset.peer.change('deactivate') and upset.peer.change('cleanup')
            before = upset.node.said()
            assert upset.peer.change('configure') == works
            said = upset.node.said()[len(before):]
            assert said.count('[ERROR]') == (not works) and 'Traceback' not in said, said
            shutil.rmtree(upset.bundle)
            if works:
                assert upset.peer.change('cleanup')
            shutil.copytree(kept, upset.bundle)
            upset.peer.bring_up()
    finally:
        shutil.rmtree(upset.bundle, ignore_errors=True)
        kept.rename(upset.bundle)


def _another(upset):
    """Put another model in its place."""
    shutil.copytree(upset.spare, upset.bundle)


def _garbage(upset):
    """Overwrite both files where they lie."""
    for name in ('model.onnx', 'manifest.yaml'):
        (upset.bundle / name).write_bytes(random.Random(0).randbytes(5000))


def _empty(upset):
    """Take all files away."""
    for path in upset.bundle.iterdir():
        path.unlink()


def disk_full(upset):
    """Nothing more can be written where it logs and runs."""
    full = upset.node.runs_in
    with suppress(OSError), open(full / 'filler', 'wb', buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    assert shutil.disk_usage(full).free == 0
    upset.run(3, lambda: upset.peer.set(crop__max_range=-1.0))  # it has something to log
    upset.run(3, lambda: upset.peer.send(TABLE))
    assert upset.peer.change('deactivate') and upset.peer.change('cleanup')
    upset.peer.bring_up()


def parameter_storm(upset):
    """Another process sets parameters at 50 Hz, rightly and wrongly, while clouds come."""
    setter = upset.other('parameters')
    upset.run(10, lambda: upset.peer.send(TABLE))
    setter.kill()
    said = setter.communicate()[0]
    assert not [line for line in said.splitlines() if ' set, ' not in line], said
    assert upset.peer.heard
    defaults = table()
    assert all(r.successful for r in upset.peer.set(**{
        name: defaults[name][0] for name, right, _ in CHANGES if right}))
    return f'passed, {said.splitlines()[-1]}'


CASES = {
    'publisher dies': publisher_dies, 'other QoS': other_qos, 'two publishers': two_publishers,
    'clock goes back': clock_back, '100 Hz': burst, '4 M points': huge,
    '4 M, unorganised': huge_unorganised, 'bad clouds': bad_clouds,
    'parameters at 50 Hz': parameter_storm, 'bundle changes': bundle_changes,
    'disk full': disk_full, 'killed with -9': killed}
