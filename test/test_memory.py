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

"""When memory is given back: a smaller cloud after a large one, and only then."""

from foundry_ros.nodes.memory import LARGE, Trimmer


def test_once_a_smaller_cloud_follows_a_large_one():
    """Clouds of one size, however large, and small ones keep what they use again and again."""
    trimmer = Trimmer()
    assert not any(trimmer.done(size) for size in (10, 1, LARGE // 2, 1))
    assert not any(trimmer.done(4 * LARGE) for _ in range(3))
    assert [trimmer.done(LARGE // 4) for _ in range(3)] == [True, False, False]
