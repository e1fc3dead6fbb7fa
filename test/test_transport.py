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
"""Delays on the way to the node: only what is more than usual counts."""

from foundry_ros.nodes.transport import Transport, WINDOW
import pytest

MS, SECOND = 10**6, 10**9


def test_only_the_excess_counts():
    """A clock that is an hour ahead is no delay; 30 ms more than the quickest cloud are."""
    transport, ahead = Transport(), 3600 * SECOND
    told = [transport.excess_ms(i * SECOND, i * SECOND + ahead + delay * MS)
            for i, delay in enumerate((8, 5, 35, 5, 9))]
    assert told == pytest.approx([0, 0, 30, 0, 4])


def test_clocks_that_are_set():
    """The clock goes back by a minute, or stamps jump: it starts anew."""
    transport = Transport()
    assert transport.excess_ms(0, 5 * MS) == 0
    assert transport.excess_ms(SECOND, 61 * SECOND) == 0
    assert transport.excess_ms(2 * SECOND, 62 * SECOND + 7 * MS) == 7
    assert transport.excess_ms(100 * SECOND, 3 * SECOND) == 0


def test_a_delay_that_stays_becomes_usual():
    """After a while nothing quicker is remembered."""
    transport = Transport()
    transport.excess_ms(0, 0)
    late = [transport.excess_ms(i * SECOND, i * SECOND + 50 * MS) for i in range(1, WINDOW + 2)]
    assert late[0] == 50 and late[-1] == 0
