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

"""Muon for the matrices between hidden layers, AdamW for everything else, as one optimiser."""

from typing import Any, Dict, Sequence

import torch
from torch import nn


# A side of at most so many numbers makes no matrix to orthogonalise: points, positions, extents.
NARROW = 8


class MuonAndAdamW(torch.optim.Optimizer):
    """
    Two optimisers that a trainer steps, schedules and saves as one.

    Muon (Jordan et al. 2024) moves a matrix by its momentum made orthogonal, scaled to the size
    of AdamW's steps (Liu et al. 2025, Muon is Scalable for LLM Training, section 2.2).

    :param matrices: weights (out, in) for Muon. :param others: parameters for AdamW.
    :param muon: learning rate of the matrices. :param lr: of the others.
    :param weight_decay: of both.
    """

    def __init__(self, matrices: Sequence[nn.Parameter], others: Sequence[nn.Parameter],
                 muon: float, lr: float, weight_decay: float):
        self.parts = [torch.optim.Muon(matrices, muon, weight_decay=weight_decay,
                                       adjust_lr_fn='match_rms_adamw'),
                      torch.optim.AdamW(others, lr, weight_decay=weight_decay)]
        super().__init__([{'params': [*matrices, *others]}], {})
        self._share()

    def _share(self):
        """Have the groups of both as ours, so that what schedules ours schedules them."""
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure=None):
        """Step both. :return: the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> Dict[str, Any]:
        """Give the state of both."""
        return {'parts': [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Go on from a state of both."""
        for part, state in zip(self.parts, state_dict['parts']):
            part.load_state_dict(state)
        self._share()


def make_optimiser(module: nn.Module, section: Dict[str, Any]) -> torch.optim.Optimizer:
    """
    Make the optimiser of what a module learns.

    Muon's matrices are the weights of linear layers, but for those of heads (modules whose name
    ends in ``_head``) and narrow ones, as its authors advise.

    :param section: ``lr``, ``weight_decay`` and, 0 for AdamW alone, ``muon``.
    """
    learned = [p for p in module.parameters() if p.requires_grad]
    hidden = {id(layer.weight) for name, layer in module.named_modules()
              if isinstance(layer, nn.Linear) and '_head.' not in f'{name}.'
              and min(layer.weight.shape) > NARROW}
    matrices = [p for p in learned if id(p) in hidden]
    if not (section.get('muon') and matrices):
        return torch.optim.AdamW(learned, section['lr'], weight_decay=section['weight_decay'])
    return MuonAndAdamW(matrices, [p for p in learned if id(p) not in hidden], section['muon'],
                        section['lr'], section['weight_decay'])
