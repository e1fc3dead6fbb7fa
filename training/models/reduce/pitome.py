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

"""Token merging that protects tokens of low energy (Tran et al., PiToMe, NeurIPS 2024)."""

import torch
import torch.nn.functional as F

from training.models.grouping import take
from training.models.reduce import tome
from training.models.reduce.assignment import multiply, rank


def energy(unit: torch.Tensor, margin: float) -> torch.Tensor:
    """
    Say how crowded it is around each token: high where many others are alike.

    :param unit: (B, n, d) of length 1. :param margin: of the cosine; below it the ELU saturates,
        so that tokens far away hardly count.
    :return: (B, n), the mean of ELU(cosine - margin) over all tokens.
    """
    return F.elu(multiply(unit, unit.transpose(1, 2)) - margin).mean(2)


def match(descriptors: torch.Tensor, remove: int, margin: float) -> torch.Tensor:
    """
    Merge among the 2 ``remove`` tokens of highest energy; the others are protected.

    By rank they alternate between those that go (A) and those that stay (B); each of A goes to
    the most similar of B. Nothing depends on the order of tokens. The protected come first.

    :param descriptors: (B, n, d). :param remove: r, at most n // 2. :param margin: see
        :func:`energy`.
    :return: columns (B, n) int64, below n - remove.
    """
    count = descriptors.shape[1]
    if not 0 <= remove <= count // 2:
        raise ValueError(f'{remove} of {count} tokens cannot be merged into others in one step: '
                         'at most half')
    unit = F.normalize(descriptors.detach().float(), dim=-1)
    place = rank(energy(unit, margin))
    if remove == 0:
        return place
    protected = count - 2 * remove
    goes = (place < 2 * remove) & (place % 2 == 0)
    stays = (place < 2 * remove) & (place % 2 == 1)
    similar = multiply(unit, unit.transpose(1, 2)).masked_fill(~stays[:, None], -2.0)
    partner = take(place, similar.argmax(2))
    column = torch.where(goes, partner, place) // 2 + protected
    return torch.where(place < 2 * remove, column, place - 2 * remove)


def match_ranked(descriptors: torch.Tensor, remove: int, margin: float) -> torch.Tensor:
    """
    Match as ToMe does, all tokens alternating by their energy instead of their place.

    PiToMe's variant for the first half of the blocks; the arguments are those of :func:`match`.
    """
    place = rank(energy(F.normalize(descriptors.detach().float(), dim=-1), margin))
    count = descriptors.shape[1]
    order = (place[:, None] == torch.arange(count, device=place.device)[:, None]).long().argmax(2)
    return take(tome.match(take(descriptors, order), remove), place)


def match_at(descriptors: torch.Tensor, remove: int, progress: float) -> torch.Tensor:
    """
    Match in a block of an encoder, with the margin and the variant of PiToMe's ViT.

    :param progress: the block's number over how many there are, 0 to below 1.
    """
    kind = match_ranked if progress < 0.5 else match
    return kind(descriptors, remove, 0.75 * (1 - progress))
