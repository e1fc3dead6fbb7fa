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

"""PatchMerger: learned queries gather tokens (Renggli et al., arXiv 2202.12015, section 3)."""

from typing import Tuple

import torch
from torch import nn


def weights(queries: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """
    Give what each query takes of each token, a softmax over the tokens.

    :param queries: (m, d). :param tokens: (B, n, d), normalised.
    :return: (B, m, n), rows sum to 1; a row depends on its own query alone.
    """
    scores = queries @ tokens.transpose(1, 2) / tokens.shape[-1] ** 0.5
    return scores.float().softmax(2)


class PatchMerger(nn.Module):
    """
    Replace n tokens by ``count`` weighted sums of them; no projection, no residual.

    Scores are scaled by 1/√d and queries begin at scale 1, so that no softmax is saturated.
    """

    def __init__(self, width: int, count: int):
        super().__init__()
        self.count = count
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Parameter(torch.empty(count, width))
        nn.init.trunc_normal_(self.queries, std=1.0)

    def forward(self, x: torch.Tensor, position: torch.Tensor, used: int
                ) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """
        Merge tokens x and their positions, both (B, n, d), by the first ``used`` queries.

        :return: tokens and positions (B, used, d), the mean of either by the same weights, and
            columns (B, n): the query that takes most of a token, which it is handed back from.
        """
        if used > self.count:
            raise ValueError(f'{used} tokens are asked for, {self.count} queries are there')
        x = self.norm(x)
        taken = weights(self.queries[:used], x)
        column = taken.argmax(1)
        taken = taken.to(x.dtype)
        return taken @ x, taken @ position, column
