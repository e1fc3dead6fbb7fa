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

"""What every training run shares: trainer, schedule, checkpoints that resume, compiled blocks."""

import math
from pathlib import Path
from typing import Any, Dict, Optional

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
import torch

from training.models.backbone import Backbone, Size


def size_of(config: Dict[str, Any]) -> Size:
    """Give the size of a backbone from its section of the configuration."""
    return Size(**config)


class Task(lightning.LightningModule):
    """A run with AdamW and a cosine schedule with linear warm-up, stepped every step."""

    def __init__(self, config: Dict[str, Any]):
        super().__init__()
        self.save_hyperparameters({'config': config})
        self.config = config

    def configure_optimizers(self):
        o, total = self.config['optimiser'], self.trainer.estimated_stepping_batches
        params = [p for p in self.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(params, o['lr'], weight_decay=o['weight_decay'])
        warm = max(1, int(total * o['warm_up']))

        def factor(step):
            if step < warm:
                return (step + 1) / warm
            progress = (step - warm) / max(1, total - warm)
            return 1e-3 + (1 - 1e-3) * 0.5 * (1 + math.cos(progress * math.pi))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {'optimizer': optimiser,
                'lr_scheduler': {'scheduler': schedule, 'interval': 'step'}}


def compile_backbone(backbone: Backbone) -> None:
    """Compile tokenizer and blocks one by one: all blocks share their code, one a budget."""
    torch._dynamo.config.recompile_limit = 64
    backbone.tokenizer.compile(dynamic=False)
    for block in backbone.encoder.blocks:
        block.compile(dynamic=False)


def fit(task: Task, resume: bool) -> Path:
    """
    Train a task, writing ``last.ckpt`` into its folder after every epoch.

    :param resume: go on from ``last.ckpt`` where there is one.
    :return: the checkpoint of the last epoch.
    """
    config = task.config
    folder = Path(config['output'])
    t = config['trainer']
    checkpoint = ModelCheckpoint(folder, filename='last', every_n_epochs=1,
                                 save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = lightning.Trainer(
        accelerator=t['accelerator'], devices=t['devices'], strategy=t['strategy'],
        precision=t['precision'], max_epochs=t['epochs'], gradient_clip_val=t['clip'],
        reload_dataloaders_every_n_epochs=1, logger=CSVLogger(folder, name='', version=''),
        callbacks=[checkpoint, TQDMProgressBar(refresh_rate=20)], log_every_n_steps=10,
        num_sanity_val_steps=0, enable_model_summary=False)
    last = folder / 'last.ckpt'
    trainer.fit(task, ckpt_path=str(last) if resume and last.exists() else None)
    return last


def weights(path, prefix: str) -> Optional[Dict[str, torch.Tensor]]:
    """Read the weights under ``prefix`` of a checkpoint."""
    state = torch.load(path, map_location='cpu', weights_only=True)['state_dict']
    return {k[len(prefix):]: v for k, v in state.items() if k.startswith(prefix)}
