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

"""How fast a run is, and how much of the time it waits for data."""

import time

from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_only


class Throughput(Callback):
    """
    Print objects per second and the share of the steps' time that was spent waiting for data.

    The first step is not counted: it starts workers and compiles. Nor is what happens between
    epochs, such as writing checkpoints.
    """

    def __init__(self):
        self.objects, self.waited, self.busy = 0, 0.0, 0.0
        self._mark, self._warm = 0.0, False

    @property
    def objects_per_second(self) -> float:
        """Give the objects of all processes together per second."""
        return self.objects / max(self.waited + self.busy, 1e-9)

    @property
    def waiting(self) -> float:
        """Give the share of the time spent waiting for data."""
        return self.waited / max(self.waited + self.busy, 1e-9)

    def on_train_epoch_start(self, trainer, module):
        """Begin to wait for the first batch of an epoch."""
        self._mark = time.perf_counter()

    def on_train_batch_start(self, trainer, module, batch, index):
        """Stop waiting."""
        self.waited += self._lap()

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        """Count the step and begin to wait for the next batch."""
        self.busy += self._lap()
        self.objects += len(batch['labels']) * trainer.world_size if self._warm else 0
        self._warm = True

    def _lap(self):
        now, last = time.perf_counter(), self._mark
        self._mark = now
        return now - last if self._warm else 0.0

    @rank_zero_only
    def on_train_end(self, trainer, module):
        """Print the figures."""
        if self.objects:
            print(f'{self.objects_per_second:,.1f} objects per second, '
                  f'{100 * self.waiting:.1f} % of the time waiting for data')
