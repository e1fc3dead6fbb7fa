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

from collections import defaultdict
from typing import Any, Dict, Sequence

import torch
from torch import nn


# A side of at most so many numbers makes no matrix to orthogonalise: points, positions, extents.
NARROW = 8


class Muon(torch.optim.Muon):
    """
    PyTorch's Muon, with matrices of a shape made orthogonal together and in float32.

    PyTorch makes them so one by one in 16 bits, which takes longer than the rest of a step on
    processors that multiply no such numbers.
    """

    @torch.no_grad()
    def step(self):
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            alike = defaultdict(list)
            for p in group['params']:
                if p.grad is not None:
                    alike[p.shape].append(p)
            for shape, matrices in alike.items():
                rate = group['lr'] * 0.2 * max(shape) ** 0.5
                moves = orthogonal(torch.stack(self._momenta(matrices, group['momentum'])),
                                   group['ns_coefficients'], group['ns_steps'])
                torch._foreach_mul_(matrices, 1 - group['lr'] * group['weight_decay'])
                torch._foreach_sub_(matrices, list(moves.unbind()), alpha=rate)

    def _momenta(self, matrices, decay):
        """Update the momenta of matrices, and give where they will be (Nesterov)."""
        for p in matrices:
            if 'momentum_buffer' not in self.state[p]:
                self.state[p]['momentum_buffer'] = torch.zeros_like(p.grad)
        gradients = [p.grad for p in matrices]
        momenta = [self.state[p]['momentum_buffer'] for p in matrices]
        torch._foreach_lerp_(momenta, gradients, 1 - decay)
        return torch._foreach_lerp(gradients, momenta, decay)


def orthogonal(matrices: torch.Tensor, coefficients, steps: int) -> torch.Tensor:
    """
    Bring the singular values of matrices (n, rows, columns) near 1, their directions kept.

    Newton and Schulz's iteration with the coefficients of Jordan et al. 2024.
    """
    a, b, c = coefficients
    upright = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if upright else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.transpose(1, 2) if upright else x


class MuonAndAdamW(torch.optim.Optimizer):
    """
    Two optimisers that a trainer steps, schedules and saves as one.

    Muon (Jordan et al. 2024) moves a matrix by its momentum made orthogonal, scaled to the size
    of AdamW's steps (Liu et al. 2025, Muon is Scalable for LLM Training, section 2.2).

    :param matrices: weights (out, in) for Muon. :param others: parameters for AdamW, in groups.
    :param muon: learning rate of the matrices. :param lr: of the others.
    :param weight_decay: of both.
    """

    def __init__(self, matrices: Sequence[nn.Parameter], others: Sequence[Dict[str, Any]],
                 muon: float, lr: float, weight_decay: float):
        self.parts = [Muon(matrices, muon, weight_decay=weight_decay,
                           adjust_lr_fn='match_rms_adamw'),
                      torch.optim.AdamW(others, lr, weight_decay=weight_decay)]
        super().__init__([p for group in others for p in group['params']] + list(matrices), {})
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


def make_optimiser(module: nn.Module, section: Dict[str, Any],
                   undecayed: Sequence[nn.Module] = ()) -> torch.optim.Optimizer:
    """
    Make the optimiser of what a module learns.

    Muon's matrices are the weights of linear layers, but for those of heads and gates (modules
    named so, or whose name ends in ``_head``) and narrow ones, as its authors advise. How far a
    gate moves has to depend on the size of its gradient.

    :param section: ``lr``, ``weight_decay`` and, 0 for AdamW alone, ``muon``.
    :param undecayed: modules whose weights do not decay; AdamW moves them.
    """
    still = {id(p) for part in undecayed for p in part.parameters()}
    learned = [p for p in module.parameters() if p.requires_grad]
    hidden = {id(layer.weight) for name, layer in module.named_modules()
              if isinstance(layer, nn.Linear) and min(layer.weight.shape) > NARROW
              and not any(part.endswith('_head') or part == 'gate' for part in name.split('.'))}
    matrices = [p for p in learned if id(p) in hidden - still] if section.get('muon') else []
    taken = {id(p) for p in matrices}
    others = [{'params': [p for p in learned if id(p) not in taken | still]},
              {'params': [p for p in learned if id(p) in still], 'weight_decay': 0.0}]
    others = [group for group in others if group['params']]
    if not matrices:
        return torch.optim.AdamW(others, section['lr'], weight_decay=section['weight_decay'])
    return MuonAndAdamW(matrices, others, section['muon'], section['lr'], section['weight_decay'])
