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

"""How much longer than usual a cloud was on its way to the node."""

from collections import deque

# Clouds whose delays are compared; their number decides how soon a changed clock is believed.
WINDOW = 100
# Longer than this is no delay: the clock was set, or a recording starts again.
LONGEST_NS = 1_000_000_000


class Transport:
    """
    Compares delays with the shortest one of late.

    By themselves they tell little: clocks differ, and drivers stamp clouds when it suits them.
    But what comes on top under load is time that the results are late.
    """

    def __init__(self):
        """Start without clouds."""
        self._delays = deque(maxlen=WINDOW)

    def excess_ms(self, stamp: int, now: int) -> float:
        """
        Note that a cloud arrives.

        :param stamp: of the cloud, nanoseconds.
        :param now: by the node's clock, nanoseconds.
        :return: milliseconds more than the shortest delay.
        """
        delay = now - stamp
        if self._delays and abs(delay - min(self._delays)) > LONGEST_NS:
            self._delays.clear()
        self._delays.append(delay)
        return (delay - min(self._delays)) / 1e6
