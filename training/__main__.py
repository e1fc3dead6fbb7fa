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

"""Command line of the training side: ``python -m training <verb> --config FILE [overrides]``."""

import importlib
import os
import sys

from foundry_ros.__main__ import OneLineParser
from foundry_ros.bundle import BundleError
from training import config as configuration
from training.arguments import overrides_last
from training.data.shapes import DataError

VERBS = {
    'pretrain': 'train a teacher without labels (Point-JEPA)',
    'distill': 'distill a student from a teacher, for every budget',
    'finetune': 'train the heads for classes and parts, and the student with them',
    'keep': 'write the weights of a run small enough to commit',
    'export': 'write a fine-tuned student as a model bundle for the robot',
    'evaluate': 'measure the exported bundle at every budget and fill its manifest',
    'compare': 'set an exported bundle beside the one it is to replace, on the same clouds',
    'measure': 'measure a fine-tuned student at every budget, to compare it with others',
    'reproduce': 'print a table of the committed results; train what it lacks',
    'probe': 'show what pretraining is worth: a linear probe against random weights',
    'fewshot': 'fine-tune to few shapes of few classes, over folds',
    'baselines': 'write what the student is timed against as ONNX files',
    'describe': 'count parameters and multiply-accumulates, part by part',
    'figures': 'draw the pictures of a run',
    'check-data': 'tell which data sets are there and whole, which are missing, how to get them',
    'shards': 'pack the published files of Objaverse for training',
}
# How torch begins to say that weights do not fit.
UNFIT = 'Error(s) in loading state_dict for '
WITHOUT_CONFIG = ('check-data', 'shards', 'reproduce')
# What a verb cannot do without: a file of another verb lacks it.
NEEDS = {'pretrain': ('predictor',), 'distill': ('student', 'pretrained'),
         'finetune': ('heads',), 'keep': ('kept',), 'export': ('bundle',),
         'evaluate': ('bundle',), 'compare': ('bundle',), 'measure': ('measure',),
         'fewshot': ('fewshot',), 'baselines': ('counts',), 'figures': ('figures',)}


class Parser(OneLineParser):
    """Its errors begin as those of the runs."""

    begin = 'error'


def about_a_table(sub) -> None:
    """Add what a table is asked for with."""
    sub.add_argument('--table', required=True, help='its name, see the runs file')
    sub.add_argument('--scale', default='small', choices=('small', 'paper'))
    sub.add_argument('--run', action='store_true', help='train and measure what is missing')
    sub.add_argument('--jobs', type=int, default=2, help='runs at a time, a core each (2)')
    sub.add_argument('--rows', nargs='+', help='of the table, by the names of their runs (all)')
    sub.add_argument('--seeds', type=int, help='at most so many of each row (all)')
    sub.add_argument('--cost', action='store_true',
                     help='measure what all runs cost in onnxruntime, side by side; with --scale '
                          'paper the rows of a table of costs')
    sub.add_argument('--runs', help='YAML file of runs (training/configs/small/runs.yaml)')


def configured(asked) -> dict:
    """
    Give the configuration that is asked for.

    :raises ConfigError: the verb has no use for it, or cannot do with it.
    """
    if asked.verb == 'reproduce' and (asked.config or asked.overrides):
        raise configuration.ConfigError('reproduce reads --runs, whose rows name their '
                                        'configurations and overrides')
    if not asked.config:
        if asked.overrides:
            raise configuration.ConfigError(f'{asked.overrides[0]!r} overrides nothing without '
                                            '--config')
        return {'data': {'root': 'data'}, 'reproduce': asked}
    config = configuration.load(asked.config, asked.overrides)
    for key in NEEDS.get(asked.verb, ()):
        if key not in config:
            raise configuration.ConfigError(f'{asked.verb} needs {key!r}, which '
                                            f'{" with ".join(asked.config)} lacks')
    return config


def main(arguments=None) -> int:
    """Run a verb; what is wrong with the request is one line on standard error."""
    parser = Parser(prog='python -m training', description=__doc__)
    verbs = parser.add_subparsers(dest='verb', required=True)
    for verb, text in VERBS.items():
        sub = verbs.add_parser(verb, help=text, description=text)
        sub.add_argument('--config', required=verb not in WITHOUT_CONFIG, action='append',
                         help='YAML file, see training/configs; another one is laid over it')
        sub.add_argument('--data-root', help='folder that holds the data sets'
                         + (' (data)' if verb in WITHOUT_CONFIG else ''))
        if verb == 'reproduce':
            about_a_table(sub)
        sub.add_argument('--resume', action='store_true', help='go on from the last checkpoint')
        sub.add_argument('overrides', nargs='*',
                         help='dotted, such as trainer.epochs=10 or --trainer.epochs 10')
    asked = parser.parse_args(overrides_last(sys.argv[1:] if arguments is None else arguments))
    try:
        config = configured(asked)
        if asked.data_root:
            config['data']['root'] = asked.data_root
        package = 'training' if asked.verb == 'export' else 'training.tasks'
        name = config.get('tasks', {}).get(asked.verb, asked.verb.replace('-', '_'))
        task = importlib.import_module(f'{package}.{name}')
        task.run(config, resume=asked.resume)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (configuration.ConfigError, configuration.RunError, DataError, BundleError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except RuntimeError as error:
        if not str(error).startswith(UNFIT):
            raise
        network, first = str(error)[len(UNFIT):].split(':', 1)
        print(f'error: a checkpoint that the configuration names is of another {network} than its '
              f'"model", "teacher" and "student" describe: {" ".join(first.split())[:120]}',
              file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(f'error: {error.filename or error} is not there', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
