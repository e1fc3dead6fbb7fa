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

"""How many tokens each block of an encoder takes away, and what that costs."""

import math
from typing import List


def halving(count: int, left: int, depth: int) -> List[int]:
    """
    Halve the tokens in each block until ``left`` are left (Foundry, B.2: [32, 16] of 64 to 16).

    :return: tokens that each of ``depth`` blocks takes away.
    """
    return _schedule(count, left, depth, count)


def even(count: int, left: int, depth: int) -> List[int]:
    """Take away as many in each block, as ToMe itself does; the last ones may do with less."""
    for most in range(count + 1):
        removed = _take(count, left, depth, most)
        if sum(removed) == count - left:
            return removed
    return _schedule(count, left, depth, count)  # says why there is none


def geometric(count: int, left: int, depth: int) -> List[int]:
    """Keep the same share of the tokens in each block, as PiToMe itself does."""
    share, now, removed = (left / count) ** (1 / depth), count, []
    for i in range(1, depth + 1):
        wanted = max(left, math.ceil(count * share ** i - 1e-6))
        removed.append(max(0, min(now - wanted, now // 2)))
        now -= removed[-1]
    return removed if now == left else _schedule(count, left, depth, count)


def cost(count: int, removed: List[int]) -> float:
    """
    Tell what the linear layers of the blocks cost, in tokens that go through all of them.

    A block takes tokens away after its attention, which is a third of its linear layers.
    """
    total = 0
    for gone in removed:
        total += count + 2 * (count - gone)
        count -= gone
    return total / (3 * len(removed))


def affordable(count: int, depth: int, most: float) -> int:
    """Give the most tokens that :func:`halving` may leave for a :func:`cost` of ``most``."""
    for left in range(count, 0, -1):
        removed = _take(count, left, depth, count)
        if sum(removed) == count - left and cost(count, removed) <= most:
            return left
    raise ValueError(f'{count} tokens cannot be merged within {depth} blocks at a cost of {most}')


def _take(count, left, depth, most):
    """Take away at most ``most`` and at most half of the tokens in each block."""
    removed = []
    for _ in range(depth):
        removed.append(max(0, min(most, count // 2, count - left)))
        count -= removed[-1]
    return removed


def _schedule(count, left, depth, most):
    """Take away as :func:`_take` does, or say that it is not possible."""
    removed = _take(count, left, depth, most)
    if sum(removed) != max(0, count - left):
        raise ValueError(f'{depth} blocks, of which each merges at most half, leave '
                         f'{count - sum(removed)} of {count} tokens and not {left}')
    return removed
