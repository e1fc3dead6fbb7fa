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

"""What the pipeline logs, in the log of ROS."""

import logging

PACKAGE = 'foundry_ros'


class _Forward(logging.Handler):
    """Hands lines to a logger of ROS."""

    def __init__(self, logger):
        super().__init__()
        self._logger = logger

    def emit(self, record):
        """Pass a line on."""
        say = self._logger.warning if record.levelno >= logging.WARNING else self._logger.info
        say(record.getMessage())


def forward_logs(logger):
    """
    Hand what this package logs to a node's logger, and to no other node's any more.

    :param logger: of rclpy.
    """
    log = logging.getLogger(PACKAGE)
    log.handlers = [h for h in log.handlers if not isinstance(h, _Forward)] + [_Forward(logger)]
