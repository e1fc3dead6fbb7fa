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
Noise of training that does not depend on the number of processes.

Processes have the same seed in every step (:class:`training.tasks.common.Task`), and of a batch
the clouds ``rank::processes``. So on CPUs each draws the noise of the whole batch and takes what
belongs to its clouds. On GPUs, where a draw would be waited for, each draws its own.
"""

from typing import Callable

import torch
from torch import distributed, nn
import torch.nn.functional as F


def apart(device: torch.device) -> bool:
    """Tell whether each process draws for its own clouds alone, or there is but one."""
    several = distributed.is_available() and distributed.is_initialized()
    return device.type != 'cpu' or not several


def of_mine(draw: Callable[[int], torch.Tensor], count: int, device: torch.device) -> torch.Tensor:
    """
    Draw what the clouds of this process get.

    :param draw: gives (n, ...) for n clouds. :param count: of them here, as many as elsewhere.
    """
    if apart(device):
        return draw(count)
    processes = distributed.get_world_size()
    return draw(count * processes)[distributed.get_rank()::processes]


def dropout(x: torch.Tensor, p: float, training: bool) -> torch.Tensor:
    """Drop elements of x (B, ...) as ``torch.nn.functional.dropout`` does."""
    if not training or p == 0 or apart(x.device):
        return F.dropout(x, p, training)
    return x * of_mine(lambda n: F.dropout(x.new_ones(n, *x.shape[1:]), p), len(x), x.device)


class Dropout(nn.Dropout):
    """Drop elements of x (B, ...) as ``torch.nn.Dropout`` does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give x (B, ...), outside of training as it is."""
        return dropout(x, self.p, self.training)


def rand(count: int, *shape: int, device: torch.device) -> torch.Tensor:
    """Draw (count, *shape) numbers between 0 and 1, the first dimension that of clouds."""
    return of_mine(lambda n: torch.rand(n, *shape, device=device), count, device)


def gumbel_softmax(scores: torch.Tensor, temperature: float) -> torch.Tensor:
    """
    Draw one of scores (B, ..., s), one-hot, the gradient that of a softmax (straight through).

    As ``torch.nn.functional.gumbel_softmax`` with ``hard``.
    """
    noise = of_mine(lambda n: -scores.new_empty(n, *scores.shape[1:]).exponential_().log(),
                    len(scores), scores.device)
    soft = ((scores + noise) / temperature).softmax(-1)
    hard = torch.zeros_like(soft).scatter_(-1, soft.argmax(-1, keepdim=True), 1.0)
    return hard - soft.detach() + soft
