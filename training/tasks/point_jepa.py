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

"""The teacher as published: Point-JEPA, or point2vec, on whole clouds (Point-JEPA, section 3)."""

import lightning

from training.tasks.common import fit
from training.tasks.pretrain import Pretrain
from training.tasks.recipe import Recipe


class PointJepaRun(Recipe, Pretrain):
    """Its loss on clouds drawn anew; ViT-S, float32, as the teacher of Foundry."""

    val_dataloader = lightning.LightningModule.val_dataloader  # none: ``probe`` measures it


def run(config, resume=False):
    """Pretrain a teacher; its weights are under ``model.backbone.`` of the checkpoint."""
    return fit(PointJepaRun(config), resume)
