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

"""The pictures of a run, as the paper has them: ``python -m training figures --config ...``."""

from pathlib import Path

from training.tasks import (figures_curves, figures_features, figures_style,
                            figures_supertokens)
from training.tasks.figures_data import Subject


def pictures(config):
    """Give the name of each picture and what draws it."""
    asked = config['figures']
    subject = Subject(config)
    drawn = {'cost': lambda: figures_curves.cost(config),
             'features': lambda: figures_features.embedding(subject),
             'pca': lambda: figures_features.colours(subject),
             'error': lambda: figures_features.errors(subject),
             'assignment': lambda: figures_supertokens.assignment(subject),
             'supertokens': lambda: figures_supertokens.use(subject)}
    if hasattr(subject.student, 'supertokens'):
        drawn['projected'] = lambda: figures_supertokens.projected(subject)
    if asked['runs']:
        drawn['loss'] = lambda: figures_curves.losses(asked['runs'])
    if asked['results']:
        drawn['accuracy'] = lambda: figures_curves.accuracy(asked['results'])
    if asked['gates']:
        drawn['gate'] = lambda: figures_curves.gates(asked['gates'])
    return drawn


def run(config, resume=False):
    """Write every picture of ``figures`` as PNG into the output folder."""
    del resume
    folder = Path(config['output'])
    folder.mkdir(parents=True, exist_ok=True)
    with figures_style.style():
        for name, draw in pictures(config).items():
            path = folder / f'{name}.png'
            figures_style.save(draw(), path)
            print(f'wrote {path}', flush=True)
