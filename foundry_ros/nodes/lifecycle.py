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

"""Changes of state: an error in one is told, and one that is not possible is refused."""

import functools
import traceback

from rclpy.lifecycle import Node, TransitionCallbackReturn


def told(transition):
    """
    Tell in full what a transition raises; the state machine goes on to ``on_error`` then.

    rclpy does the same without a word.
    """
    @functools.wraps(transition)
    def guarded(node, state):
        try:
            return transition(node, state)
        except Exception:  # noqa: B902 a defect
            if node.context.ok():  # or else ROS ended meanwhile, and nothing can be told
                node.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
    return guarded


def refuse_impossible(node: Node):
    """
    Answer with a failure where a transition does not start at the state that the node is in.

    rclpy lets its error through to whoever spins the node, which would end; and whoever asked
    would wait for an answer for ever.
    """
    service = next(s for s in node.services if s.srv_name.endswith('/change_state'))
    change = service.callback

    def guarded(request, response):
        try:
            return change(request, response)
        except RuntimeError as error:  # RCLError, which rclpy does not export
            asked = request.transition.label or request.transition.id
            node.get_logger().warning(f'asked for the transition {asked}, which is not possible '
                                      f'now: {str(error).splitlines()[0]}')
            response.success = False
            return response
    service.callback = guarded
