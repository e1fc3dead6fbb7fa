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

"""Work on the latest of what arrives, one at a time, without a queue."""

import threading
from typing import Any, Callable


class LatestWorker:
    """
    A thread that works on what is put; what is put meanwhile replaces what waits.

    It may be started again after it was stopped.
    """

    def __init__(self, work: Callable[[Any], None]):
        """
        Prepare; nothing runs yet.

        :param work: called in the thread with each item; it must not raise.
        """
        self._work = work
        self._changed = threading.Condition()
        self._waiting = None
        self._running = False
        self._thread = None

    def start(self):
        """Start the thread."""
        self._running = True
        self._thread = threading.Thread(target=self._run, name='perception', daemon=True)
        self._thread.start()

    def put(self, item: Any) -> bool:
        """
        Give something to work on.

        :return: whether it replaced something that was waiting.
        """
        with self._changed:
            replaced = self._waiting is not None
            self._waiting = item
            self._changed.notify()
        return replaced

    def stop(self):
        """Finish what is in work, forget what waits, and end the thread."""
        if self._thread is None:
            return
        with self._changed:
            self._running, self._waiting = False, None
            self._changed.notify()
        self._thread.join()
        self._thread = None

    def _run(self):
        """Work until stopped."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or not self._running)
                if not self._running:
                    return
                item, self._waiting = self._waiting, None
            self._work(item)
            del item  # it may be large, and the next one may be long in coming
