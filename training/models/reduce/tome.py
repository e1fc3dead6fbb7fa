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

"""Token merging by bipartite soft matching (Bolya et al., ToMe, ICLR 2023, section 3)."""

import torch
import torch.nn.functional as F

from training.models.reduce.assignment import multiply, rank


def match(descriptors: torch.Tensor, remove: int) -> torch.Tensor:
    """
    Merge the ``remove`` tokens that are most like another one into that one.

    Tokens at even places (A) may go, each into the most similar token at an odd place (B); so
    at most half of them go, and what comes out depends on the order of tokens: on which are in A,
    not on the order within A. What stays of A comes first, the most similar first, then B.

    :param descriptors: (B, n, d), of which the cosine is taken; ToMe: the keys' mean over heads.
    :param remove: r, at most n // 2.
    :return: columns (B, n) int64, below n - remove.
    """
    if not 0 <= remove <= descriptors.shape[1] // 2:
        raise ValueError(f'{remove} of {descriptors.shape[1]} tokens cannot be merged into '
                         'others in one step: at most half')
    unit = F.normalize(descriptors.detach().float(), dim=-1)
    a, b = unit[:, ::2], unit[:, 1::2]
    stay = a.shape[1] - remove
    if b.shape[1] == 0:
        return torch.zeros_like(a[..., 0], dtype=torch.long)
    similar = multiply(a, b.transpose(1, 2))
    place, best = rank(similar.amax(2)), similar.argmax(2)
    of_a = torch.where(place < remove, stay + best, place - remove)
    of_b = (stay + torch.arange(b.shape[1], device=a.device)).expand(b.shape[0], -1)
    count = b.shape[1]  # of A there are as many or one more
    both = torch.stack([of_a[:, :count], of_b], dim=2).flatten(1)
    return torch.cat([both, of_a[:, count:]], dim=1)
