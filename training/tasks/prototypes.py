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

"""KMeans-Student: nothing is distilled, its prototypes are clustered (Foundry, section B.3)."""

from pathlib import Path
from typing import Iterable

import torch
from tqdm import tqdm

from training.config import ConfigError
from training.data.clouds import Augment, Clouds, loader
from training.models.reduce import kmeans
from training.models.reduced import Prototypes
from training.tasks.foundry import Distill, DistillCached
from training.tasks.numerics import device_of


def batches(task: Distill) -> Iterable[dict]:
    """Give the training clouds of an epoch; cached tokens where the task is on those."""
    if isinstance(task, DistillCached):
        return task.train_dataloader()
    data = task.config['data']
    return loader(Clouds(task.shapes(data['train']), data['batch'], 0, task.config['seed'],
                         Augment(**data['augment']), draw=data['draw']), data['workers'])


@torch.no_grad()
def tokens_of(task: Distill) -> torch.Tensor:
    """Give the tokens (n, d) of the training clouds through the teacher's tokenizer."""
    most = task.config['clustering']['clouds']
    found, seen = [], 0
    for batch in tqdm(batches(task), desc='tokens', unit='batch'):
        batch = {k: v.to(task.device) for k, v in batch.items() if torch.is_tensor(v)}
        groups = task.on_after_batch_transfer(batch, 0)['groups']
        left = most - seen if most else len(groups)
        found.append(task.teacher.tokenizer(groups[:left]).flatten(0, 1).cpu())
        seen += min(left, len(groups))
        if seen == most:
            break
    return torch.cat(found)


def run(config, resume=False):
    """Cluster; the student's weights are under ``student.`` of the checkpoint."""
    del resume
    task = (DistillCached if 'mix' in config['data'] else Distill)(config).eval()
    if not isinstance(task.student, Prototypes):
        raise ConfigError('clustering is for student.reduce: prototypes')
    task.to(device_of(config['trainer']['accelerator']))
    tokens = tokens_of(task)[None].to(task.device)
    count = task.student.count
    begin = kmeans.drawn(tokens, count, config['seed'])
    column, centers = kmeans.cluster(tokens, begin, config['clustering']['iterations'])
    task.student.prototypes.copy_(centers[0])
    used = len(column.unique())
    print(f'{tokens.shape[1]:,} tokens to {count} prototypes, {used} of them in use')
    last = Path(config['output']) / 'last.ckpt'
    last.parent.mkdir(parents=True, exist_ok=True)
    state = {f'student.{k}': v.cpu() for k, v in task.student.state_dict().items()}
    whole = last.with_suffix('.part')
    torch.save({'state_dict': state}, whole)
    whole.replace(last)
    print(f'wrote {last}')
    return last
