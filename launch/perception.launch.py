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
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, RegisterEventHandler
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, PythonExpression
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

CONFIG = PathJoinSubstitution([FindPackageShare('foundry_ros'), 'config'])
ARGUMENTS = {
    'input_topic': ('/camera/depth/points', 'PointCloud2 topic to work on.'),
    'params_file': (PathJoinSubstitution([CONFIG, 'perception.yaml']), 'Parameters (YAML).'),
    'namespace': ('', 'Namespace of the node; one for each sensor.'),
    'autostart': ('true', 'Configure and activate the node.'),
    'use_sim_time': (PythonExpression(["'", LaunchConfiguration('bag'), "' != ''"]),
                     'Take the time from /clock; true with a bag.'),
    'bag': ('', 'Recording to play, empty for a live sensor.'),
    'rviz': ('false', 'Show clouds, parts and names in RViz.'),
    'fixed_frame': ('camera_rgb_optical_frame', 'Frame that RViz draws in.'),
    'log_level': ('info', 'debug, info, warn, error or fatal.'),
}


def generate_launch_description():
    """Describe the node, its way to active, and what may be started beside it."""
    value = {name: LaunchConfiguration(name) for name in ARGUMENTS}
    sim_time = {'use_sim_time': value['use_sim_time']}
    node = LifecycleNode(
        package='foundry_ros', executable='perception_node', name='foundry_perception',
        namespace=value['namespace'], output='screen',
        parameters=[value['params_file'], sim_time],
        remappings=[('~/input', value['input_topic'])],
        ros_arguments=['--log-level', ['foundry_perception:=', value['log_level']]])
    # played when the node listens, and a second later, when both have found each other
    bag = RegisterEventHandler(
        OnStateTransition(target_lifecycle_node=node, goal_state='active', handle_once=True,
                          entities=[ExecuteProcess(cmd=[
                              'ros2', 'bag', 'play', '--clock', '100', '--delay', '1',
                              value['bag']])]),
        condition=UnlessCondition(PythonExpression(["'", value['bag'], "' == ''"])))
    rviz = Node(package='rviz2', executable='rviz2', condition=IfCondition(value['rviz']),
                arguments=['-d', PathJoinSubstitution([CONFIG, 'perception.rviz']),
                           '-f', value['fixed_frame']], parameters=[sim_time])
    # bag is declared before use_sim_time, whose default looks at it
    names = sorted(ARGUMENTS, key=lambda name: name != 'bag')
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=ARGUMENTS[name][0],
                                description=ARGUMENTS[name][1]) for name in names),
        *_autostart(node, IfCondition(value['autostart'])), bag, node, rviz])


def _autostart(node, condition):
    """Configure the node when it has started, and activate it when it is configured."""
    def change(transition):
        return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node),
                                           transition_id=transition))
    return [
        RegisterEventHandler(OnProcessStart(
            target_action=node, on_start=[change(Transition.TRANSITION_CONFIGURE)]),
            condition=condition),
        RegisterEventHandler(OnStateTransition(
            target_lifecycle_node=node, start_state='configuring', goal_state='inactive',
            handle_once=True,  # later, the transitions are left to whoever makes them
            entities=[change(Transition.TRANSITION_ACTIVATE)]), condition=condition)]
