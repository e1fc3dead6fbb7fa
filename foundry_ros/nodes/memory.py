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

"""Gives back to the system what an exceptionally large cloud or a model took."""

import ctypes

LARGE = 16_000_000
# Of malloc.h.
M_ARENA_MAX = -8


def share_one_heap():
    """
    Let all threads take memory from one heap; called before there are any.

    Of the heaps that the C library of GNU makes for threads, malloc_trim leaves the top.
    """
    if mallopt := getattr(ctypes.CDLL(None), 'mallopt', None):
        mallopt(M_ARENA_MAX, 1)


class Trimmer:
    """
    Trims the heap when a smaller cloud follows a large one.

    The C library of GNU keeps freed memory for later; for clouds of one size that is right, but
    after a single one of millions of points it would be kept for good.
    """

    def __init__(self):
        """Look for the C library's function; others give memory back by themselves."""
        self._trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
        self._largest = 0

    def done(self, size: int) -> bool:
        """
        Note that a cloud is done with.

        :param size: of its message, bytes.
        :return: whether memory was given back.
        """
        self._largest = max(self._largest, size)
        if self._largest < LARGE or size > self._largest / 2:
            return False
        self._largest = size
        self.trim()
        return True

    def trim(self):
        """Give back what is free."""
        if self._trim is not None:
            self._trim(0)
