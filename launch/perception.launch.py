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

"""Starts the perception node on one sensor; works without arguments."""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, RegisterEventHandler)
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, PythonExpression
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

NODE = 'foundry_perception'
CONFIG = PathJoinSubstitution([FindPackageShare('foundry_ros'), 'config'])
ARGUMENTS = {
    'input_topic': ('/camera/depth/points', 'PointCloud2 topic to work on.'),
    'params_file': (PathJoinSubstitution([CONFIG, 'perception.yaml']), 'Parameters (YAML).'),
    'model': ('', 'Model bundle: a folder or a shipped name; empty = as the parameters say.'),
    'namespace': ('', 'Namespace of the node; one for each sensor.'),
    'autostart': ('true', 'Configure and activate the node.'),
    'respawn': ('false', 'Start the node again when it has died.'),
    'bag': ('', 'Recording to play, empty for a live sensor.'),
    'use_sim_time': (PythonExpression(["'", LaunchConfiguration('bag'), "' != ''"]),
                     'Take the time from /clock; true with a bag.'),
    'rviz': ('false', 'Show clouds, parts and names in RViz.'),
    'fixed_frame': ('camera_rgb_optical_frame', 'Frame that RViz draws in.'),
    'log_level': ('info', 'debug, info, warn, error or fatal.'),
}
SWITCHES = ('autostart', 'respawn', 'use_sim_time', 'rviz')


def generate_launch_description():
    """Declare the arguments; what is started depends on their values."""
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=description)
          for name, (default, description) in ARGUMENTS.items()),
        OpaqueFunction(function=_start)])


def _start(context):
    """Start the node and what was asked for beside it."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    for name in SWITCHES:
        if value[name].lower() not in ('true', 'false'):
            raise ValueError(f'{name} is true or false, not {value[name]!r}')
        value[name] = value[name].lower() == 'true'
    params = {'use_sim_time': value['use_sim_time']}
    if value['model']:
        params['model.path'] = value['model']
    # a logger's name holds the namespace
    logger = '.'.join([*value['namespace'].strip('/').split('/'), NODE]).lstrip('.')
    started = [Node(
        package='foundry_ros', executable='perception_node', name=NODE,
        namespace=value['namespace'], output='screen', respawn=value['respawn'],
        respawn_delay=1.0, arguments=['--autostart'] if value['autostart'] else [],
        parameters=[value['params_file'], params],
        remappings=[('~/input', value['input_topic'])],
        ros_arguments=['--log-level', f'{logger}:={value["log_level"]}'])]
    if value['bag']:
        started += _bag(value['bag'], f'{value["namespace"]}/{NODE}/label_info')
    if value['rviz']:
        started.append(Node(
            package='rviz2', executable='rviz2',
            parameters=[{'use_sim_time': value['use_sim_time']}],
            arguments=['-d', PathJoinSubstitution([CONFIG, 'perception.rviz']),
                       '-f', value['fixed_frame']]))
    return started


def _bag(recording, latched):
    """Play a recording when the node is active: it tells what its labels mean then."""
    qos = ['--qos-durability', 'transient_local', '--qos-reliability', 'reliable']
    active = ExecuteProcess(cmd=['ros2', 'topic', 'echo', '--no-daemon', '--once', *qos, latched,
                                 'vision_msgs/msg/LabelInfo'])
    play = ExecuteProcess(cmd=['ros2', 'bag', 'play', '--clock', '100', '--delay', '1', recording])
    return [active, RegisterEventHandler(OnProcessExit(target_action=active, on_exit=[play]))]
