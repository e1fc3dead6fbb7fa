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

"""The executable ``perception_node``."""

import argparse
import signal
import sys
from typing import List, Optional

from foundry_ros import blas  # noqa: F401 before numpy
from foundry_ros.nodes.memory import share_one_heap
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.utilities import remove_ros_args

PIP = 'PIP_BREAK_SYSTEM_PACKAGES=1 {python} -m pip install scipy onnxruntime PyYAML psutil {numpy}'


def main(args: Optional[List[str]] = None) -> int:
    """
    Run the node until it is told to end.

    :return: 0, or 1 after a mistake that was told in one line.
    """
    autostart = _options(args).autostart
    share_one_heap()
    rclpy.init(args=args)
    node = None
    try:
        node = _node()
        if autostart and node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            node.trigger_activate()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except ModuleNotFoundError as error:
        return _fail(f'the Python that ROS uses has no package {error.name!r}; run: {_pip()}')
    except ValueError as error:
        if not type(error).__module__.startswith('foundry_ros.'):
            raise
        return _fail(str(error))
    except Exception:  # noqa: B902 whatever a callback raises when ROS ends during it
        if rclpy.ok():
            raise
    finally:
        # ros2 launch passes Ctrl-C on to a process that has had it from the terminal already
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _options(args) -> argparse.Namespace:
    """Read what is not for ROS."""
    parser = argparse.ArgumentParser('perception_node', description='Name objects in clouds.')
    parser.add_argument('--autostart', action='store_true', help='configure and activate by '
                        'itself; without, the transitions are left to a lifecycle manager')
    return parser.parse_args(remove_ros_args(args)[1:])


def _node():
    """Make the node; its packages are imported here, so that a missing one is told well."""
    from foundry_ros.nodes.perception_node import PerceptionNode
    return PerceptionNode()


def _pip() -> str:
    """Give the command that installs what is missing; ROS needs the numpy it is compiled for."""
    try:
        from numpy import __version__
    except ImportError:
        __version__ = '2.0'
    major, minor = (int(number) for number in __version__.split('.')[:2])
    numpy = "'numpy<2'" if major < 2 else 'numpy'
    if (major, minor) < (1, 25):  # Humble: its scipy takes no newer one
        numpy = "'numpy<1.25'"
    return PIP.format(python=sys.executable, numpy=numpy)


def _fail(message: str) -> int:
    """Tell what is wrong in one line."""
    get_logger('foundry_perception').fatal(' '.join(message.split()))
    return 1


if __name__ == '__main__':
    sys.exit(main())
