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

"""Runs of the published recipe on a few made-up clouds, also as a process of its own."""

import sys

import numpy as np

TINY = ['data.batch=6', 'data.points=64', 'data.groups=20', 'data.neighbours=8',
        'data.workers=0', 'trainer.accelerator=cpu', 'optimiser.warm_up_epochs=1']
SIZE = {'width': 16, 'depth': 2, 'heads': 2, 'first': [8, 8], 'second': [16]}


def made_up(name, root):
    """Give a set of any name: a few clouds of two classes and two parts each."""
    from training.data.shapes import Shapes
    del root
    rng = np.random.default_rng(len(name))
    cloud = rng.normal(size=(12, 80, 3)).astype(np.float32)
    cloud[1::2, :, 2] *= 0.1  # one class is flat
    cloud /= np.linalg.norm(cloud, axis=2).max(1)[:, None, None]
    labels = np.arange(12) % 2
    part = 2 * labels[:, None] + (cloud[..., 0] > 0)
    return Shapes(cloud, labels, ['round', 'flat'], part,
                  ['round/a', 'round/b', 'flat/a', 'flat/b'])


def arguments(verb, *configs, more=(), sizes=('model',)):
    """Give the arguments of a verb of the paper on next to nothing."""
    config = [w for c in configs for w in ('--config', f'training/configs/paper/{c}.yaml')]
    size = [f'{s}.{k}={v}' for s in sizes for k, v in SIZE.items()]
    return [verb, *config, *TINY, *size, *more]


if __name__ == '__main__':
    from training import __main__ as program
    from training.data import sets
    sets.read = made_up
    sys.exit(program.main(sys.argv[1:]))
