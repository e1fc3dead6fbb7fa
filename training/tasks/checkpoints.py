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

"""Checkpoints that are whole or not there, and the record of the loss that goes on with them."""

import csv
import os
from pathlib import Path
from typing import Any, Dict, Optional

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
import torch


class WholeCheckpoints(TorchCheckpointIO):
    """
    Write to a temporary name beside the checkpoint, then move: a killed run leaves the last one.

    What Lightning does by itself goes through the system's temporary folder, and from another
    file system that is a copy, which can be cut short.
    """

    def save_checkpoint(self, checkpoint: Dict[str, Any], path, storage_options=None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + '.part')
        with part.open('wb') as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def steps_of(path: Path) -> int:
    """Give the number of steps that a checkpoint has behind it."""
    return torch.load(path, map_location='cpu', weights_only=True, mmap=True)['global_step']


class History(CSVLogger):
    """
    ``metrics.csv`` with a row every few steps; a resumed run goes on with it.

    :param resumed: steps of the checkpoint that the run goes on from; None for a new run. Rows
        after it were made by steps that are now done again, and are dropped.
    """

    def __init__(self, folder: Path, resumed: Optional[int] = None):
        super().__init__(folder, name='', version='')
        path = Path(folder) / 'metrics.csv'
        self._rows = []
        if resumed is not None and path.exists():
            with path.open(newline='') as file:
                self._rows = [r for r in csv.DictReader(file) if int(r['step']) < resumed]

    @property
    @rank_zero_experiment
    def experiment(self):
        """Give the writer; it begins with the rows that are kept."""
        if self._experiment is None:
            writer = CSVLogger.experiment.fget(self)
            writer.metrics, self._rows = self._rows, []
        return self._experiment

    def after_save_checkpoint(self, checkpoint_callback) -> None:
        """Bring the rows to disk with every checkpoint."""
        self.save()
