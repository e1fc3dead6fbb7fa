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

"""A recogniser with supertokens as one graph for every budget."""

import torch
from torch import nn

from training.models.backbone import pool


class AnyBudget(nn.Module):
    """
    The recogniser with the budget as a tensor, so that it stays an input of the traced graph.

    Slices end at tensors and nothing is scattered; otherwise it is :meth:`Student.forward`.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, groups, centers, token_budget):
        """Give features (B, F), class logits (B, classes) and part logits (B, c, parts)."""
        student, dso = self.model.student, self.model.student.supertokens
        tokens, position = student.embed(groups, centers)
        fusable = student.gate(tokens).squeeze(-1).sigmoid()
        seen = tokens + position if student.positions else tokens
        count = tokens.shape[1]
        all_kept = token_budget >= count
        used = torch.minimum(token_budget, torch.tensor(dso.count)) * (~all_kept).long()
        keep = torch.minimum(token_budget, torch.tensor(count)) - used
        slots = fusable.topk(count, dim=1, largest=False).indices[:, :keep]
        mine = (slots[:, None] == torch.arange(count)[None, :, None]).float()
        kept = mine.sum(2)
        fused, back, hidden = self._gather(dso, seen, kept, used)
        own = mine.transpose(1, 2) @ torch.cat([tokens, position], dim=-1)
        own, place = own.chunk(2, dim=-1)
        x = torch.cat([fused, own], dim=1)
        mask = torch.cat([hidden, torch.zeros_like(own[..., 0])], dim=1)[:, None, None]
        x = student.backbone.encoder(
            x, torch.cat([torch.zeros_like(fused), place], dim=1), mask)
        back = torch.cat([back * (1 - kept)[..., None], mine], dim=2)
        rebuilt = student.upsample(seen + back @ x)
        features = pool(rebuilt)
        return features, self.model.class_head(features), self.model.part_head(rebuilt)

    @staticmethod
    def _gather(dso, seen, kept, used):
        """Gather into the first ``used`` supertokens; every one is computed, those are kept."""
        scores = dso.key(seen) @ dso.query(dso.supertokens).T / seen.shape[-1] ** 0.5
        scores = scores[:, :, :used]
        fused = (1 - kept)[..., None]
        seeds = dso.supertokens[:used]
        best = scores.max(dim=2, keepdim=True).values
        back = (scores == best).float()
        back = back * (back.cumsum(2) == 1).float()  # the first of equals, as argmax has it
        taken = back * fused
        size = taken.sum(1)
        mean = taken.transpose(1, 2) @ dso.value(seen) / size.clamp(min=1)[..., None]
        filled = (size > 0).float()
        gathered = filled[..., None] * dso.out(mean) + (1 - filled)[..., None] * seeds
        return gathered, back, (1 - filled) * -1e4
