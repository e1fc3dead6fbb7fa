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

"""
Tables of a study from its committed results: ``python -m training reproduce --table NAME``.

Without ``--run`` nothing is trained and torch is not needed.
"""

import signal

from training.config import ConfigError, RunError
from training.study import commands, page, published, runs

RUNS = 'training/configs/small/runs.yaml'


def interrupt(*_):
    """End as from the keyboard, so that what was started ends, too."""
    raise KeyboardInterrupt


def run(config, resume=False):
    """Train what is missing where asked to, and print the table; see ``--help``."""
    del resume
    asked = config['reproduce']
    study = published.extended(runs.read(asked.runs or RUNS))
    study.rows(asked.table)
    if asked.scale == 'paper':
        if asked.cost:
            commands.cost(study, asked.table)
        if asked.run:
            commands.run(study, asked.table)
        print('\n'.join(commands.lines_of(study, asked.table)))
        return
    if asked.cost:
        from training.study import cost
        cost.measure(study)
    if asked.run:
        train(study, asked)
    if asked.cost or asked.run:
        page.write(study)
    print('\n'.join(page.lines_of(study, asked.table)))


def train(study, asked):
    """Train and measure what the table lacks; the page is written also where some of it fails."""
    if asked.jobs < 1:
        raise ConfigError('--jobs is 1 or more')
    from training.study.train import Trainer
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        Trainer(study, asked.data_root).run(asked.table, asked.jobs, asked.rows, asked.seeds)
    except RunError:
        page.write(study)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
