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

"""Batch norm over all processes: their number does not change what is learned."""

from lightning.pytorch.plugins import LayerSync
import torch
from torch import distributed, nn


class Summed(torch.autograd.Function):
    """Sum a tensor over all processes; the gradient is summed likewise."""

    @staticmethod
    def forward(context, x):
        x = x.contiguous().clone()
        distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(context, gradient):
        return Summed.apply(gradient)


class SharedBatchNorm(nn.BatchNorm1d):
    """
    Batch norm of x (n, width) whose mean and variance are those of all processes' x together.

    As ``torch.nn.SyncBatchNorm``, which does not run on CPUs. All have the same n.
    """

    @torch.compiler.disable  # compiled, the processes' sums come out as NaN
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise x; outside of training as plain batch norm."""
        if not self.training:
            return super().forward(x)
        kind, x = x.dtype, x.float()  # sums of half precision would not be the whole batch's
        count = len(x) * distributed.get_world_size()
        mean = Summed.apply(x.sum(0)) / count
        variance = Summed.apply((x - mean).square().sum(0)) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        x = (x - mean) * (variance + self.eps).rsqrt() * self.weight + self.bias
        return x.to(kind)


class SharedNorms(LayerSync):
    """Share the batch norms of a model among processes while it is trained."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Make its batch norms shared ones, in place."""
        return _exchange(model, nn.BatchNorm1d, SharedBatchNorm)

    def revert(self, model: nn.Module) -> nn.Module:
        """Make them plain ones again."""
        return _exchange(model, SharedBatchNorm, nn.BatchNorm1d)


def _exchange(model, old, new):
    for module in model.modules():
        if type(module) is old:
            module.__class__ = new  # same parameters and buffers, another forward
    return model
