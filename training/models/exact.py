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
The same functions with fewer operations: algebra that changes nothing but rounding.

For inference alone: norms over batches are folded into the linear layers before them, two linear
layers with nothing in between become one, and what is the same for all points of a group (a bias,
a rectifier) comes after their maximum.
"""

import copy
from typing import List

import torch
from torch import nn
import torch.nn.functional as F

from training.models.heads import ClassHead
from training.models.tokenizer import LeanTokenizer, Tokenizer


def rewritten(model: nn.Module) -> nn.Module:
    """
    Copy a model for inference and rewrite what can be in the copy: tokenizers and class heads.

    :param model: anything that holds them, such as a :class:`Recogniser`.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, (LeanTokenizer, Tokenizer)):
                setattr(module, name, exact_tokenizer(child))
            elif isinstance(child, ClassHead):
                setattr(module, name, plain(child))
    return model


def linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    """Make a layer of a weight (out, in) and a bias (out)."""
    made = nn.Linear(weight.shape[1], weight.shape[0])
    made.load_state_dict({'weight': weight.detach(), 'bias': bias.detach()})
    return made.requires_grad_(False)


def bias_of(layer: nn.Linear) -> torch.Tensor:
    """Give the bias of a layer, zeros where it has none."""
    return layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias


def folded(layer: nn.Linear, norm: nn.BatchNorm1d) -> nn.Linear:
    """Make one layer of a layer and the norm after it."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return linear(layer.weight * scale[:, None],
                  (bias_of(layer) - norm.running_mean) * scale + norm.bias)


def composed(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """Make one layer of two with nothing in between."""
    return linear(second.weight @ first.weight, second.weight @ bias_of(first) + bias_of(second))


def plain(layers: nn.Sequential) -> nn.Sequential:
    """Fold the norms of a sequence, and leave out what does nothing in inference."""
    kept: List[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm1d):
            kept[-1] = folded(kept[-1], layer)
        elif not isinstance(layer, nn.Dropout):
            kept.append(layer)
    return nn.Sequential(*kept)


class InRows(nn.Module):
    """A tokenizer that works on points and groups in rows, whatever cloud they are of."""

    def forward(self, groups: torch.Tensor) -> torch.Tensor:
        """Map groups (B, c, k, 3) to tokens (B, c, width)."""
        tokens = self.rows(groups)
        return tokens.view(groups.shape[0], -1, int(tokens.shape[-1]))


class ExactTokenizer(InRows):
    """:class:`Tokenizer`; 1.23 instead of 2.01 GFLOP at the paper's size."""

    def __init__(self, tokenizer: Tokenizer):
        super().__init__()
        self.inner = folded(tokenizer.inner, tokenizer.inner_norm)
        self.outer, mix = tokenizer.outer, tokenizer.mix
        on_summary, on_point = (linear(half, half.new_zeros(len(half)))
                                for half in mix.weight.chunk(2, dim=1))
        # What the norm adds comes with the points' half, once.
        self.on_point = composed(self.outer, folded(on_point, tokenizer.mix_norm))
        self.on_summary = folded(on_summary, tokenizer.mix_norm)
        self.on_summary.bias.zero_()
        self.last, self.project = tokenizer.last, tokenizer.project

    def rows(self, groups: torch.Tensor) -> torch.Tensor:
        """Map groups (B, c, k, 3) to tokens (B * c, width)."""
        neighbours = groups.shape[2]
        x = F.relu(self.inner(groups.reshape(-1, 3)))
        summary = highest(x, self.outer, neighbours)
        x = self.on_point(x).view(-1, neighbours, self.on_point.out_features)
        x = F.relu(x + self.on_summary(summary)[:, None]).view(-1, self.on_point.out_features)
        if isinstance(self.last, nn.Identity):
            x = x.view(-1, neighbours, x.shape[-1]).amax(1)
        else:
            x = highest(x, self.last, neighbours)
        return self.project(x)


class ExactLeanTokenizer(InRows):
    """:class:`LeanTokenizer`."""

    def __init__(self, tokenizer: LeanTokenizer):
        super().__init__()
        points = plain(tokenizer.points)
        self.points, self.last, self.groups = points[:-2], points[-2], tokenizer.groups
        self.project = tokenizer.project  # positions go through it too, where there is one

    def rows(self, groups: torch.Tensor) -> torch.Tensor:
        """Map groups (B, c, k, 3) to tokens (B * c, width)."""
        x = self.points(groups.reshape(-1, 3))
        return self.project(self.groups(F.relu(highest(x, self.last, groups.shape[2]))))


def highest(x: torch.Tensor, layer: nn.Linear, neighbours: int) -> torch.Tensor:
    """Give the maximum of a layer over each group of rows: its bias is added once a group."""
    x = (x @ layer.weight.T).view(-1, int(neighbours), layer.out_features)
    return x.amax(1) + layer.bias


def exact_tokenizer(tokenizer: nn.Module) -> nn.Module:
    """Rewrite a trained tokenizer of either kind, to be used in inference."""
    kind = ExactLeanTokenizer if isinstance(tokenizer, LeanTokenizer) else ExactTokenizer
    return kind(tokenizer.eval())
