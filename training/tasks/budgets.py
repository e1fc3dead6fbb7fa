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

"""Which budgets a step of training is of, and what they weigh."""

import random
from typing import Any, Dict, List, Optional, Sequence

import torch


def of_step(config: Dict[str, Any], step: int) -> List[Optional[int]]:
    """
    Draw the budgets of a step, largest first: one by the odds of ``budgets``, those ``beside`` it.

    It depends on the seed and the step alone. [None], as the network was made, where a
    configuration has no ``budgets``.
    """
    if 'budgets' not in config:
        return [None]
    budgets, odds = zip(*config['budgets'].items())
    drawn = random.Random(f'{config["seed"]} {step}').choices(budgets, odds)
    return sorted({*drawn, *config['beside']}, reverse=True)


def weigh(losses: Sequence[torch.Tensor], smaller: float) -> torch.Tensor:
    """Add to the loss of the largest budget the mean of the others, ``smaller`` times."""
    if len(losses) == 1:
        return losses[0]
    return losses[0] + smaller * torch.stack(tuple(losses[1:])).mean()
