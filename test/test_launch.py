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

"""The package as it is installed, and its launch file as it is typed."""

from importlib import util
import os
from pathlib import Path
import re
import shutil
import signal
import subprocess
import sys
import threading

from cloud_messages import shared
from lifecycle_msgs.srv import GetState
from mock_bundle import make_bundle
import psutil
import pytest
from rcl_interfaces.srv import GetParameters
import rclpy
from ros_bench import cloud_message, PATIENCE_S
from sensor_msgs.msg import PointCloud2
from table_scene import BOXES, table_cloud
from vision_msgs.msg import Detection3DArray
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LAUNCH = ['ros2', 'launch', 'foundry_ros', 'perception.launch.py']


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    """Install the package as colcon does."""
    build = tmp_path_factory.mktemp('build')
    into = tmp_path_factory.mktemp('install')
    subprocess.run(
        [sys.executable, 'setup.py', '-q', 'egg_info', '--egg-base', build,
         'build', '--build-base', build, 'install', '--prefix', into,
         '--single-version-externally-managed', '--record', build / 'installed.txt'],
        cwd=ROOT, check=True, capture_output=True)
    return into


@pytest.fixture(scope='module')
def environment(prefix):
    """Give the environment of a workspace with the package."""
    packages = next(prefix.glob('l*/python3*/*-packages'))
    return {**os.environ, 'PYTHONUNBUFFERED': '1',
            'AMENT_PREFIX_PATH': f'{prefix}{os.pathsep}{os.environ["AMENT_PREFIX_PATH"]}',
            'PYTHONPATH': f'{packages}{os.pathsep}{os.environ["PYTHONPATH"]}'}


@pytest.fixture(scope='module')
def params_file(tmp_path_factory):
    """Give a parameter file with a model that takes everything for a cup."""
    folder = tmp_path_factory.mktemp('params')
    model = {'path': str(make_bundle(folder / 'bundle', winner=3)), 'threads': 1}
    path = folder / 'params.yaml'
    path.write_text(yaml.safe_dump({'/**': {'ros__parameters': {
        'model': model, 'output': {'input_reliability': 'reliable'}}}}))
    return path


class Launched:
    """The launch file, running; ``lines`` is what it printed."""

    def __init__(self, environment, folder, *arguments):
        """Start it away from the checkout."""
        if shutil.which('ros2') is None:
            pytest.skip('this ROS 2 has no ros2 launch')
        self.lines = []
        self._process = subprocess.Popen(
            [*LAUNCH, *arguments], cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(line)

    def __enter__(self):
        """Give itself."""
        return self

    def __exit__(self, *error):
        """End it if it still runs."""
        self.stop()

    def ended(self) -> bool:
        """Tell whether it ended by itself."""
        return self._process.poll() is not None

    def pid_of_node(self):
        """Give the process of the node that was started last."""
        return [int(re.search(r'pid \[(\d+)\]', line)[1]) for line in self.lines
                if 'process started with pid' in line and 'perception_node' in line][-1]

    def command(self) -> str:
        """Give the command line of the node."""
        return ' '.join(psutil.Process(self.pid_of_node()).cmdline())

    def stop(self, by_itself=False) -> int:
        """End it as Ctrl-C does, or wait for it; give the exit code."""
        if not by_itself and not self.ended():
            os.killpg(self._process.pid, signal.SIGINT)
        code = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code


@pytest.fixture
def peer():
    """Give a node to talk with."""
    rclpy.init()
    node = rclpy.create_node('peer')
    yield node
    node.destroy_node()
    rclpy.shutdown()


def wait(peer, condition, launched):
    """Let the peer work until something is so."""
    for _ in range(PATIENCE_S * 10):
        if condition():
            return
        if launched.ended():
            break
        rclpy.spin_once(peer, timeout_sec=0.1)
    raise AssertionError(''.join(launched.lines))


def test_what_is_installed(prefix):
    """Everything that ROS looks for has its place, and nothing that is for the desk only."""
    assert (prefix / 'share/ament_index/resource_index/packages/foundry_ros').read_text() == ''
    share = prefix / 'share' / 'foundry_ros'
    for path in ('package.xml', 'launch/perception.launch.py', 'config/perception.yaml',
                 'config/perception.rviz', 'config/sros2_policy.xml'):
        assert (share / path).read_bytes() == (
            ROOT / path).read_bytes()
    assert os.access(prefix / 'lib/foundry_ros/perception_node', os.X_OK)
    packages = next(prefix.glob('l*/python3*/*-packages'))
    assert {path.name for path in packages.iterdir() if path.suffix != '.egg-info'} == {
        'foundry_ros'}
    assert {path.name for path in (ROOT / 'resource/models').glob('*/')} == {
        path.name for path in (share / 'models').glob('*/')}


def test_from_launch_to_objects(environment, params_file, peer, tmp_path):
    """The node becomes active by itself, works, and ends cleanly."""
    arguments = (f'params_file:={params_file}', 'namespace:=front', 'input_topic:=/depth')
    clouds = peer.create_publisher(PointCloud2, '/depth', 1)
    heard = []
    peer.create_subscription(Detection3DArray, '/front/foundry_perception/detections',
                             heard.append, 1)
    state = peer.create_client(GetState, '/front/foundry_perception/get_state')
    with Launched(environment, tmp_path, *arguments) as launched:
        wait(peer, state.service_is_ready, launched)
        wait(peer, lambda: _label(peer, state) == 'active', launched)
        wait(peer, clouds.get_subscription_count, launched)
        wait(peer, lambda: heard or clouds.publish(cloud_message(table_cloud(stamp=3))), launched)
        assert [d.results[0].hypothesis.class_id for d in heard[0].detections] == (
            ['cup'] * len(BOXES))
        assert launched.stop() == 0, ''.join(launched.lines)
    said = ''.join(launched.lines)
    assert 'process has finished cleanly' in said and 'Traceback' not in said, said


def test_without_arguments_it_says_what_it_waits_for(environment, peer, tmp_path):
    """While nothing comes on the default topic, the topics that there are are named."""
    peer.create_publisher(PointCloud2, '/other/points', 1)
    if not any((ROOT / 'resource/models').glob('*/manifest.yaml')):
        pytest.skip('no model bundle is shipped yet')
    with Launched(environment, tmp_path) as launched:
        def warned():
            return [line for line in launched.lines if 'nothing is published' in line]
        wait(peer, warned, launched)
        assert '/camera/depth/points' in warned()[0] and '/other/points' in warned()[0]


def test_killed_and_back_at_work(environment, params_file, peer, tmp_path):
    """With respawn, a node that was killed with -9 comes back active and answers clouds."""
    clouds = peer.create_publisher(PointCloud2, '/depth', 1)
    heard = []
    peer.create_subscription(Detection3DArray, '/foundry_perception/detections', heard.append, 1)
    with Launched(environment, tmp_path, f'params_file:={params_file}', 'input_topic:=/depth',
                  'respawn:=true') as launched:
        def answers(stamp):
            clouds.publish(cloud_message(table_cloud(stamp=stamp)))
            return [message for message in heard if message.header.stamp.nanosec == stamp]
        wait(peer, lambda: answers(1), launched)
        first = launched.pid_of_node()
        os.kill(first, signal.SIGKILL)
        wait(peer, lambda: launched.pid_of_node() != first, launched)
        wait(peer, lambda: answers(2), launched)
        assert launched.stop() == 0, ''.join(launched.lines)
    assert 'exit code -9' in ''.join(launched.lines)


def test_arguments_reach_the_node(environment, params_file, peer, tmp_path):
    """A model goes before that of the parameters, the level of the log counts in a namespace."""
    model = make_bundle(tmp_path / 'other', manifest={'name': 'other'})
    with Launched(environment, tmp_path, f'params_file:={params_file}', f'model:={model}',
                  'namespace:=/left/front', 'log_level:=debug', 'autostart:=false') as launched:
        state = peer.create_client(GetState, '/left/front/foundry_perception/get_state')
        wait(peer, state.service_is_ready, launched)
        assert _label(peer, state) == 'unconfigured'
        read = peer.create_client(GetParameters,
                                  '/left/front/foundry_perception/get_parameters')
        wait(peer, read.service_is_ready, launched)
        future = read.call_async(GetParameters.Request(names=['model.path', 'model.threads']))
        wait(peer, future.done, launched)
        assert future.result().values[0].string_value == str(model)
        assert future.result().values[1].integer_value == 1
        assert '--log-level left.front.foundry_perception:=debug' in launched.command()


def test_a_switch_is_true_or_false(environment, tmp_path):
    """Anything else is told in one line."""
    with Launched(environment, tmp_path, 'respawn:=perhaps') as launched:
        assert launched.stop(by_itself=True) != 0
    assert "respawn is true or false, not 'perhaps'" in ''.join(launched.lines)


def test_a_recording_is_played_to_the_node(environment, params_file, peer, tmp_path):
    """It starts when the node is active, so that not even a short one is missed; time is its."""
    if shutil.which('ros2') is None or util.find_spec('ros2bag') is None:
        pytest.skip('this ROS 2 has no ros2 bag')
    recording = shared('bags', 'kinect_3frames')
    heard = []
    peer.create_subscription(Detection3DArray, '/foundry_perception/detections', heard.append, 5)
    with Launched(environment, tmp_path, f'bag:={recording}', f'params_file:={params_file}',
                  'input_topic:=/camera/depth_registered/points') as launched:
        wait(peer, lambda: heard, launched)
        assert heard[0].header.frame_id == 'camera_rgb_optical_frame' and heard[0].detections


def test_by_the_lifecycle_manager_of_nav2(environment, params_file, peer, tmp_path):
    """The manager brings the node up by itself, as the README has it."""
    manager = shutil.which('lifecycle_manager', path=os.pathsep.join(
        str(Path(prefix, 'lib', 'nav2_lifecycle_manager'))
        for prefix in os.environ['AMENT_PREFIX_PATH'].split(os.pathsep)))
    if manager is None:
        pytest.skip('nav2_lifecycle_manager is not installed')
    name = 'lifecycle_manager_perception'
    settings = re.search(rf'```yaml\n({name}:.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL)
    (tmp_path / 'nav2.yaml').write_text(settings[1])
    state = peer.create_client(GetState, '/foundry_perception/get_state')
    with Launched(environment, tmp_path, f'params_file:={params_file}',
                  'autostart:=false') as launched:
        wait(peer, state.service_is_ready, launched)
        assert _label(peer, state) == 'unconfigured'
        managing = subprocess.Popen([manager, '--ros-args', '-r', f'__node:={name}',
                                     '--params-file', tmp_path / 'nav2.yaml'])
        try:
            wait(peer, lambda: _label(peer, state) == 'active', launched)
        finally:
            managing.kill()
            managing.wait()


def test_its_life_by_launch_testing(environment, tmp_path):
    """Every state, clouds, parameters taken and refused, a clean end: see launch_life.py."""
    if shutil.which('ros2') is None or util.find_spec('launch_testing') is None:
        pytest.skip('this ROS 2 has no ros2 command or no launch_testing')
    done = subprocess.run(
        [sys.executable, '-m', 'launch_testing.launch_test', HERE / 'launch_life.py'],
        cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**environment, 'PYTHONPATH': f'{environment["PYTHONPATH"]}{os.pathsep}{HERE}'})
    assert done.returncode == 0, done.stdout


def _label(peer, client):
    """Ask for the state."""
    future = client.call_async(GetState.Request())
    rclpy.spin_until_future_complete(peer, future, timeout_sec=5)
    return future.result().current_state.label if future.done() else None
