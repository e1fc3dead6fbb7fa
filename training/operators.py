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
An encoder in onnxruntime's own operators: a third of the nodes, which is what small inputs wait
for.

They run on its CPU and CUDA providers; TensorRT leaves them to CUDA.
"""

from typing import Optional

import torch
from torch import nn
import torch.nn.functional as F

from training.models.transformer import Encoder

DOMAIN = 'com.microsoft'


class Attention(torch.autograd.Function):
    """Self-attention with its input projection (com.microsoft.Attention)."""

    @staticmethod
    def forward(ctx, x, weight, bias, heads):
        """Attend among x (B, n, d) with weight (d, 3 d) and bias (3 d)."""
        batch, count, width = x.shape
        qkv = (x @ weight + bias).view(batch, count, 3, heads, width // heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (width // heads) ** -0.5).softmax(-1)
        return (weights @ v).transpose(1, 2).reshape(batch, count, width)

    @staticmethod
    def symbolic(g, x, weight, bias, heads):
        """Write the operator."""
        return g.op(f'{DOMAIN}::Attention', x, weight, bias, num_heads_i=heads
                    ).setType(x.type())


class CrossAttention(torch.autograd.Function):
    """Attention to other tokens, after the projections (com.microsoft.MultiHeadAttention)."""

    @staticmethod
    def forward(ctx, q, k, v, bias, heads):
        """Attend from q (B, n, d) to k and v (B, m, d), to which bias (3 d) is added."""
        q, k, v = (x.view(*x.shape[:2], heads, -1).transpose(1, 2)
                   for x in map(torch.add, (q, k, v), bias.chunk(3)))
        weights = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
        return (weights @ v).transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(g, q, k, v, bias, heads):
        """Write the operator."""
        return g.op(f'{DOMAIN}::MultiHeadAttention', q, k, v, bias, num_heads_i=heads
                    ).setType(q.type())


class SkipNorm(torch.autograd.Function):
    """A residual, the bias before it and the norm after it (SkipLayerNormalization)."""

    @staticmethod
    def forward(ctx, x, skip, norm_weight, norm_bias, bias, eps):
        """Give the norm of x + skip + bias, (B, n, d), and that sum."""
        total = x + skip + bias
        return F.layer_norm(total, bias.shape, norm_weight, norm_bias, eps), total

    @staticmethod
    def symbolic(g, x, skip, norm_weight, norm_bias, bias, eps):
        """Write the operator; of its four outputs the first and the last are of use."""
        made = g.op(f'{DOMAIN}::SkipLayerNormalization', x, skip, norm_weight, norm_bias, bias,
                    epsilon_f=eps, outputs=4)
        return made[0].setType(x.type()), made[3].setType(x.type())


class FusedEncoder(nn.Module):
    """
    What an :class:`Encoder` does in inference, without masks.

    :param early: blocks that are asked to attend to the first tokens alone.
    """

    def __init__(self, encoder: Encoder, early: int = 0):
        super().__init__()
        self.blocks, self.norm = encoder.blocks, encoder.norm
        # Initializers of the graph, not operations in it: those alone can be quantised.
        for kind in ('qkv', 'out', 'up', 'down'):
            setattr(self, kind, nn.ParameterList(
                getattr(block, kind).weight.detach().T.contiguous() for block in self.blocks))
        self.apart = nn.ModuleList(nn.ParameterList(
            part.T.contiguous() for part in block.qkv.weight.detach().chunk(3))
            for block in self.blocks[:early])

    def forward(self, x: torch.Tensor, position: torch.Tensor, norm: bool = True,
                part: slice = slice(None), heard: Optional[int] = None) -> torch.Tensor:
        """Encode x (B, n, width), adding position (B, n, width) before every block of a part."""
        numbers = range(len(self.blocks))[part]
        if not numbers:
            return self.norm(x) if norm else x
        total = x + position
        x = self.blocks[numbers[0]].norm1(total)
        for i in numbers:
            block, last = self.blocks[i], i == numbers[-1]
            after = block.norm2
            x, total = SkipNorm.apply(self._attend(x, i, heard) @ self.out[i], total,
                                      after.weight, after.bias, block.out.bias, after.eps)
            x = F.gelu(x @ self.up[i] + block.up.bias) @ self.down[i]
            if last and not norm:
                return total + x + block.down.bias
            after = self.norm if last else self.blocks[i + 1].norm1
            skip = total if last else total + position
            x, total = SkipNorm.apply(x, skip, after.weight, after.bias, block.down.bias,
                                      after.eps)
        return x

    def _attend(self, x, i, heard):
        """Attend among all tokens x (B, n, width) or to the first of them in block i."""
        block = self.blocks[i]
        if heard is None:
            return Attention.apply(x, self.qkv[i], block.qkv.bias, block.heads)
        (q, k, v), first = self.apart[i], x[:, :heard]
        return CrossAttention.apply(x @ q, first @ k, first @ v, block.qkv.bias, block.heads)
