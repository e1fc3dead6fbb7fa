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
The node through its life, as a person at a terminal has it: for ``launch_test``.

The package's own launch file starts it; states and parameters are changed with ``ros2``.
"""

from pathlib import Path
import subprocess
import tempfile
import time
import unittest

from diagnostic_msgs.msg import DiagnosticArray
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
import launch_testing
from launch_testing.actions import ReadyToTest
from mock_bundle import make_bundle
import rclpy
from ros_bench import cloud_message, PATIENCE_S
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import UInt16
from table_scene import BOXES, table_cloud
from vision_msgs.msg import Detection3DArray

NODE = '/foundry_perception'
LAUNCH = Path(__file__).resolve().parent.parent / 'launch' / 'perception.launch.py'

BUNDLE = tempfile.TemporaryDirectory()


def generate_test_description():
    """Start the node with a model that takes everything for a cup; it makes no transition."""
    make_bundle(BUNDLE.name, winner=3)
    arguments = {'input_topic': '/depth', 'model': BUNDLE.name, 'autostart': 'false'}
    return LaunchDescription([
        IncludeLaunchDescription(str(LAUNCH), launch_arguments=arguments.items()), ReadyToTest()])


def ros2(verb, *arguments) -> str:
    """Type a command, again while the node is not found yet; give what it says."""
    command = ['ros2', *verb.split(), '--no-daemon', '--spin-time', '0.3', NODE, *arguments]
    for _ in range(PATIENCE_S):
        done = subprocess.run(command, text=True, timeout=PATIENCE_S, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if 'Node not found' not in done.stdout:
            return done.stdout.strip()
    raise AssertionError(done.stdout)


class TestLife(unittest.TestCase):
    """One life, told in the order of the names."""

    @classmethod
    def setUpClass(cls):
        """Make a peer that publishes clouds and hears what comes of them."""
        rclpy.init()
        cls.peer = rclpy.create_node('peer')
        cls.clouds = cls.peer.create_publisher(PointCloud2, '/depth', 1)
        cls.heard = {}
        for kind, topic in ((Detection3DArray, f'{NODE}/detections'),
                            (UInt16, f'{NODE}/token_budget'), (DiagnosticArray, '/diagnostics')):
            cls.peer.create_subscription(
                kind, topic, lambda message, topic=topic: cls.heard.update({topic: message}), 1)

    @classmethod
    def tearDownClass(cls):
        """End the peer."""
        cls.peer.destroy_node()
        rclpy.shutdown()

    def wait(self, condition):
        """Publish clouds until something is so."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), end, f'last heard: {self.heard}')
            self.clouds.publish(cloud_message(table_cloud(stamp=7)))
            rclpy.spin_once(self.peer, timeout_sec=0.1)

    def budget(self):
        """Give the budget told last and why it is so."""
        told, why = self.heard.get(f'{NODE}/token_budget'), self.heard.get('/diagnostics')
        values = {item.key: item.value for item in why.status[0].values} if why else {}
        return (told and told.data), values.get('why this budget')

    def test_1_to_work(self):
        """Configured and activated from outside."""
        self.assertEqual(ros2('lifecycle get'), 'unconfigured [1]')
        for transition in ('configure', 'activate'):
            self.assertEqual(ros2('lifecycle set', transition), 'Transitioning successful')
        self.assertEqual(ros2('lifecycle get'), 'active [3]')

    def test_2_clouds_become_objects(self):
        """Every box of the scene, by the name that the model has for it."""
        self.wait(lambda: f'{NODE}/detections' in self.heard)
        found = self.heard[f'{NODE}/detections']
        self.assertEqual(found.header.frame_id, 'camera')
        self.assertEqual([d.results[0].hypothesis.class_id for d in found.detections],
                         ['cup'] * len(BOXES))

    def test_3_the_budget_is_set_and_given_back(self):
        """A value of the menu holds for every cloud; 0 hands it to the controller."""
        self.assertEqual(ros2('param set', 'token_budget', '8'), 'Set parameter successful')
        self.wait(lambda: self.budget() == (8, 'set by token_budget'))
        self.assertEqual(ros2('param set', 'token_budget', '0'), 'Set parameter successful')
        self.wait(lambda: self.budget()[1] != 'set by token_budget')

    def test_4_what_is_refused_is_told(self):
        """Beside the menu, out of range, read-only: each with its reason."""
        said = ros2('param set', 'token_budget', '7')
        self.assertIn('Setting parameter failed', said)
        self.assertIn('1, 2, 4, 8, 16, 32, 64', said)
        said = ros2('param set', 'model.score_threshold', '1.5')
        self.assertIn('Setting parameter failed', said)
        self.assertIn('model.score_threshold', said)
        self.assertIn('read-only', ros2('param set', 'model.threads', '2'))
        self.assertEqual(ros2('param get', 'token_budget'), 'Integer value is: 0')

    def test_5_to_rest(self):
        """All the way down."""
        for transition in ('deactivate', 'cleanup', 'shutdown'):
            self.assertEqual(ros2('lifecycle set', transition), 'Transitioning successful')
        self.assertEqual(ros2('lifecycle get'), 'finalized [4]')


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """What is left of it."""

    def test_exit_code(self, proc_info, proc_output):
        """Told to end, it ends cleanly."""
        launch_testing.asserts.assertExitCodes(proc_info)
        for process in proc_output.processes():
            said = b''.join(output.text for output in proc_output[process])
            self.assertNotIn(b'Traceback', said)
