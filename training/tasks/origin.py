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

"""Where the weights of a checkpoint come from: commit, machine, precision, time, configuration."""

from pathlib import Path
import time
from typing import Any, Dict

from lightning.pytorch import Callback
import torch

from training.provenance import commit, machine
from training.tasks.throughput import Throughput


class Origin(Callback):
    """
    Write into checkpoints which commit trained them, where, in how many bits, how long and fast.

    Seconds are of the whole run, objects a second and waiting since it was last resumed.

    :param trainer: section of a configuration, nothing left open. :param throughput: counts
        objects and waiting.
    """

    def __init__(self, trainer: Dict[str, Any], throughput: Throughput):
        self.trainer, self.throughput = trainer, throughput
        self.commit = commit()  # now, as the code that trains was read now
        self.before, self.begun = 0.0, time.monotonic()

    def on_fit_start(self, trainer, module):
        """Begin to count; what was trained before a run was resumed counts, too."""
        self.begun = time.monotonic()

    def state_dict(self) -> Dict[str, Any]:
        """Give what a checkpoint keeps."""
        return {'commit': self.commit, 'machine': machine(self.trainer['accelerator']),
                'precision': self.trainer['precision'],
                'seconds': round(self.before + time.monotonic() - self.begun, 2),
                'objects_per_second': round(self.throughput.objects_per_second, 1),
                'waiting': round(self.throughput.waiting, 4)}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Go on counting from a checkpoint."""
        self.before = state_dict['seconds']


def origin_of(path) -> Dict[str, Any]:
    """Read where the weights of a checkpoint come from; {} where there is none."""
    if not Path(path).is_file():
        return {}
    kept = torch.load(path, map_location='cpu', weights_only=True)
    return {**kept.get('callbacks', {}).get(Origin.__name__, {}),
            'config': kept.get('hyper_parameters', {}).get('config', {})}
