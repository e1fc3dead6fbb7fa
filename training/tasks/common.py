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

"""What every training run shares: trainer, schedule, chance, checkpoints, compiled blocks."""

import math
from pathlib import Path
from typing import Any, Dict, Optional

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
import torch
from torch import distributed

from training.config import ConfigError, RunError
from training.data.mixture import turned
from training.models.backbone import Backbone, Size
from training.models.regions import RegionStudent
from training.tasks import numerics
from training.tasks.checkpoints import History, steps_of, WholeCheckpoints
from training.tasks.optimiser import make_optimiser
from training.tasks.origin import Origin
from training.tasks.synchronise import SharedNorms
from training.tasks.throughput import Throughput


def size_of(config: Dict[str, Any]) -> Size:
    """Give the size of a backbone from its section of the configuration."""
    return Size(**config)


class Task(lightning.LightningModule):
    """
    A run with a cosine schedule with linear warm-up, stepped every step.

    The first weights depend on the seed alone, what happens in a step on the seed and the step: a
    run that was resumed is the run that was not stopped.
    """

    def __init__(self, config: Dict[str, Any]):
        super().__init__()
        self.save_hyperparameters({'config': config})
        steps = config['data'].get('steps', math.inf) * config['trainer']['epochs']
        self.config = {**config, 'trainer': numerics.settle(config['trainer'], steps)}
        torch.manual_seed(config['seed'])

    def on_after_batch_transfer(self, batch, index):
        """Turn the clouds of a mixture where the network is: a GPU does it beside other work."""
        return turned(batch) if 'turn' in batch else batch

    def on_train_batch_start(self, batch, index):
        """
        Seed the chance of a step: dropout, blocks, Gumbel noise (:mod:`training.models.chance`).

        On CPUs it is the same in all processes, since they have to draw the same blocks; on GPUs
        the noise of the samples is drawn on the device and differs.
        """
        seed = self.config['seed'] * 1_000_003 + self.global_step
        torch.manual_seed(seed)
        if torch.cuda.is_available():
            torch.cuda.manual_seed(seed + 7_919 * self.global_rank)

    def log(self, *args, **options):
        """Log the mean over all processes."""
        super().log(*args, **{**options, 'sync_dist': True})

    def configure_optimizers(self):
        o, total = self.config['optimiser'], self.trainer.estimated_stepping_batches
        optimiser = make_optimiser(self, o)
        warm = max(1, int(total * o['warm_up']))

        def factor(step):
            if step < warm:
                return (step + 1) / warm
            progress = (step - warm) / max(1, total - warm)
            return 1e-3 + (1 - 1e-3) * 0.5 * (1 + math.cos(progress * math.pi))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {'optimizer': optimiser,
                'lr_scheduler': {'scheduler': schedule, 'interval': 'step'}}


def mean_over_all(values: torch.Tensor, wanted: Optional[torch.Tensor] = None) -> torch.Tensor:
    """
    Average values of which processes may have different numbers, each value weighed alike.

    The mean of what the processes get is the mean of all values, and so are the gradients; 0
    where there is none.

    :param wanted: bool, of which values; None for all. Choosing them by index would have a GPU
        wait to be told how many they are.
    """
    if wanted is None:
        count = values.new_full((), float(values.numel()))
    else:
        values, count = values * wanted, wanted.sum().to(values.dtype)
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(count)
        count /= distributed.get_world_size()
    return values.sum() / count.clamp(min=1e-6)


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
    :return: the checkpoint of the last epoch; of no epochs, of how it begins.
    """
    config = task.config
    folder = Path(config['output'])
    last, t = folder / 'last.ckpt', config['trainer']
    resumed = resume and last.exists()
    checkpoint = ModelCheckpoint(folder, filename='last', every_n_epochs=1,
                                 save_on_train_epoch_end=True, enable_version_counter=False)
    throughput = Throughput()
    trainer = lightning.Trainer(
        accelerator=numerics.accelerator_of(t['accelerator']), precision=t['precision'],
        max_epochs=t['epochs'], gradient_clip_val=t['clip'], reload_dataloaders_every_n_epochs=1,
        logger=History(folder, steps_of(last) if resumed else None),
        callbacks=[checkpoint, TQDMProgressBar(refresh_rate=20), throughput,
                   Origin(t, throughput)],
        log_every_n_steps=t['log_every'], num_sanity_val_steps=0, enable_model_summary=False,
        **processes(t))
    trainer.fit(task, ckpt_path=str(last) if resumed else None)
    if not t['epochs']:  # what it would begin as, to be measured
        trainer.save_checkpoint(last)
    return last


def ready(task: Task, checkpoint) -> None:
    """Load the model of a trained task, to be measured where it was trained."""
    task.model.load_state_dict(weights(checkpoint, 'model.'))
    task.eval().to(numerics.device_of(task.config['trainer']['accelerator']))


def processes(t: Dict[str, Any]) -> Dict[str, Any]:
    """
    Say to Lightning among which processes a run is shared out, and how.

    Batches are shared out by the mixture already. Batch norms are taken over all processes.

    :param t: ``devices``, ``nodes``, ``strategy`` and ``accelerator`` of the configuration.
    """
    several = (t['devices'], t['nodes']) != (1, 1)
    strategy = t['strategy']
    if several and strategy in ('auto', 'ddp'):
        strategy = 'ddp_find_unused_parameters_true'  # a budget leaves some parts out of a step
    on_cpu = numerics.device_of(t['accelerator']).type == 'cpu'
    plugins = [WholeCheckpoints()] + [SharedNorms()] * (several and on_cpu)
    return {'devices': t['devices'], 'num_nodes': t['nodes'], 'strategy': strategy,
            'use_distributed_sampler': False, 'sync_batchnorm': several and not on_cpu,
            'plugins': plugins}


def weights(path, prefix: str) -> Dict[str, torch.Tensor]:
    """Read the weights under ``prefix`` of a checkpoint."""
    state = torch.load(path, map_location='cpu', weights_only=True)['state_dict']
    return {k[len(prefix):]: v for k, v in state.items() if k.startswith(prefix)}


def student_of(path) -> Dict[str, Any]:
    """Read how the student of a checkpoint was made, {} where it has none or does not say."""
    kept = torch.load(path, map_location='cpu', weights_only=True).get('hyper_parameters', {})
    return kept.get('config', {}).get('student', {})


def region_weights(path, student: RegionStudent) -> Dict[str, torch.Tensor]:
    """
    Read the student of regions that a fine-tuned teacher is; {} of a checkpoint of another.

    :raises ConfigError: its weights are for other early blocks than the student has.
    """
    state = weights(path, 'model.student.')
    if 'mix.1.weight' not in state:
        return {}
    early = student_of(path).get('early', 0)
    if early != student.early:
        raise ConfigError(f'{path} is of a student with student.early={early}, not '
                          f'{student.early}')
    return state


def backbone_weights(path) -> Dict[str, torch.Tensor]:
    """Read the backbone of a checkpoint: of pretraining, or of a teacher fine-tuned after it."""
    for prefix in ('model.backbone.', 'model.student.backbone.'):
        state = weights(path, prefix)
        if state:
            return state
    raise RunError(f'{path} holds no backbone: name a checkpoint of pretrain or of a teacher')


def class_head_weights(path) -> Dict[str, torch.Tensor]:
    """Read the class head for encoded tokens of a fine-tuned teacher, which may have another."""
    return weights(path, 'model.class_head.encoded.') or weights(path, 'model.class_head.')
