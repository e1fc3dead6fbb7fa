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

"""
What a teacher makes of the batches of a run, kept for the next run that sees the same ones.

Students of a study see the same batches where they have the same seed, so the teacher runs once
for all of them.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Dict

from filelock import FileLock
import numpy as np
import torch

from training.config import ConfigError
from training.models.backbone import Backbone


class TeacherTokens:
    """
    The tokens of a frozen teacher, from disk where some run has left them there.

    :param config: of the distillation; with ``data.keep_teacher_tokens`` they are kept in the
        folder ``data.cache``, in float16 (2 bytes x width x groups x clouds of the run).
    """

    def __init__(self, teacher: Backbone, config: Dict[str, Any]):
        self.teacher, self.config = teacher, config
        self.keep = config['data'].get('keep_teacher_tokens', False)
        t = config['trainer']
        if self.keep and (t['devices'], t['nodes']) != (1, 1):
            raise ConfigError('data.keep_teacher_tokens is for runs of one process: each of '
                              'several sees its part of a batch')
        self._tokens = self._known = None

    @torch.no_grad()
    def __call__(self, groups: torch.Tensor, centers: torch.Tensor, step: int) -> torch.Tensor:
        """
        Give the tokens (B, c, d), float32, of groups (B, c, k, 3), centers (B, c, 3).

        :param step: of the run, which decides what the batch is.
        """
        self.teacher.eval()
        if not self.keep:
            return self.teacher(groups, centers).float()
        if self._tokens is None:
            self._open((*centers.shape[:2], self.config['teacher']['width']))
        if not self._known[step]:
            made = self.teacher(groups, centers)
            self._tokens[step] = made.to(torch.float16).cpu().numpy()
            self._known[step] = True
        # As it was kept, also when just made: the runs that read it learn the same.
        return torch.from_numpy(self._tokens[step].astype(np.float32)).to(groups.device)

    def _open(self, shape):
        """Map the files of this teacher and these batches, made empty where there are none."""
        steps = self.config['data']['steps'] * self.config['trainer']['epochs']
        folder = Path(self.config['data']['cache']) / 'teacher_tokens'
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'{self._key()}_{steps}'
        known = path.with_suffix('.known.npy')
        with FileLock(f'{path}.lock'):
            if not known.exists():
                np.lib.format.open_memmap(path.with_suffix('.npy'), 'w+', np.float16,
                                          (steps, *shape)).flush()
                np.save(known, np.zeros(steps, bool))
        self._tokens = np.load(path.with_suffix('.npy'), mmap_mode='r+')
        self._known = np.load(known, mmap_mode='r+')

    def _key(self):
        """Name what the tokens depend on: teacher, precision, seed, and how batches are made."""
        data, digest = self.config['data'], hashlib.sha256()
        for value in self.teacher.state_dict().values():
            digest.update(value.cpu().contiguous().numpy().tobytes())
        recipe = [self.config['trainer']['precision'], self.config['seed'], data['steps'],
                  data['mix'], data['clouds']]
        digest.update(json.dumps(recipe, sort_keys=True).encode())
        return digest.hexdigest()[:20]
