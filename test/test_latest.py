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

"""Work on the latest of what arrives."""

import threading
import time

from foundry_ros.nodes.latest import LatestWorker

PATIENCE_S = 30


class Slow:
    """Work that waits to be let go."""

    def __init__(self):
        self.done, self.started, self.go = [], threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, item):
        self.started.release()
        assert self.go.acquire(timeout=PATIENCE_S)
        self.done.append(item)


def test_the_latest_replaces_what_waits():
    """While the first is in work, only the last of the others is kept."""
    slow = Slow()
    worker = LatestWorker(slow)
    worker.start()
    assert worker.put(1) is False
    assert slow.started.acquire(timeout=PATIENCE_S)
    assert [worker.put(i) for i in (2, 3, 4)] == [False, True, True]
    slow.go.release()
    assert slow.started.acquire(timeout=PATIENCE_S)
    slow.go.release()
    worker.stop()
    assert slow.done == [1, 4]


def test_stop_finishes_what_is_in_work_and_forgets_the_rest():
    """After stop nothing is done any more, until it is started again."""
    slow = Slow()
    worker = LatestWorker(slow)
    worker.start()
    worker.put(1)
    assert slow.started.acquire(timeout=PATIENCE_S)
    worker.put(2)
    ended = threading.Thread(target=worker.stop)
    ended.start()
    while worker._running:
        time.sleep(0.001)
    slow.go.release()
    ended.join(PATIENCE_S)
    assert slow.done == [1]
    worker.start()
    worker.put(3)
    slow.go.release()
    assert slow.started.acquire(timeout=PATIENCE_S)
    worker.stop()
    assert slow.done == [1, 3]


def test_stop_without_start():
    """Stopping what never ran, or twice, does nothing."""
    worker = LatestWorker(print)
    worker.stop()
    worker.start()
    worker.stop()
    worker.stop()
