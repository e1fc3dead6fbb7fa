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

"""Specialists: distilled from what a fine-tuned teacher says of one task (Foundry, B.2)."""

import torch
import torch.nn.functional as F

from training.models.foundry import Foundry
from training.tasks import classify, segment
from training.tasks.common import fit, weights


class Specialist:
    """
    KL divergence between the logits of a fine-tuned teacher and the student's; no labels.

    The student starts from the teacher, heads included. Its backbone stays as it is; what
    gathers and hands back learns, and so do the heads. ``tuned`` of the configuration names the
    fine-tuned teacher.
    """

    def __init__(self, config):
        super().__init__(dict(config, distilled=''))
        whole = {k: v for k, v in config.items() if k != 'student'}
        whole.update(model=config['teacher'], pretrained='')
        self.teacher = type(self.model)(whole).requires_grad_(False)
        self.teacher.load_state_dict(weights(config['tuned'], 'model.'))
        self.student: Foundry = self.model.network  # under the name that fine-tunings look for
        self.student.backbone.load_state_dict(self.teacher.network.state_dict())
        self.student.backbone.requires_grad_(False)
        for name, head in self.model.named_children():
            if name != 'network':
                head.load_state_dict(getattr(self.teacher, name).state_dict())

    def training_step(self, batch, _):
        self.teacher.eval()
        self.student.backbone.eval()  # its batch norms are frozen, too
        with torch.no_grad():
            wanted = self.teacher(batch, None).flatten(0, -2)
        said = self.model(batch, None).flatten(0, -2)
        loss = F.kl_div(said.log_softmax(1), wanted.log_softmax(1), reduction='batchmean',
                        log_target=True)
        self.log('loss', loss, prog_bar=True)
        return loss


class SpecialistClasses(Specialist, classify.Classify):
    """Specialist-CLS."""


class SpecialistParts(Specialist, segment.Segment):
    """Specialist-SEG."""


def run(config, resume=False):
    """Distill and measure; the student's weights are under ``student.`` of the checkpoint."""
    parts = 'levels' in config['heads']
    task = (SpecialistParts if parts else SpecialistClasses)(config)
    classify.check_classes(task)
    last = fit(task, resume)
    (segment if parts else classify).measure(task, last)
    return last
