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
The command line: ``python -m foundry_ros <verb>``.

Each verb is a module with ``add_arguments(parser)`` and ``run(args) -> int``; only the one that
is asked for is imported.
"""

import argparse
from importlib import import_module
import logging
import os
import sys
from typing import List, Optional

from foundry_ros import blas  # noqa: F401 before numpy

VERBS = {
    'replay': ('foundry_ros.replay', 'name the objects of a recording and their parts'),
    'simulate': ('foundry_ros.simulate', 'write a simulated recording with its truth'),
    'bench': ('foundry_ros.bench', 'measure quality and speed on this machine'),
    'models': ('foundry_ros.models', 'list and verify model bundles'),
    'doctor': ('foundry_ros.doctor', 'tell what this machine offers and what is missing'),
}
USAGE = 2
INTERRUPTED = 130


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all others, without the usage before it."""

    begin = 'foundry_ros'

    def error(self, message: str):
        """Tell what is wrong and where the options are listed, and exit as argparse does."""
        line = ' '.join(f'{self.begin}: {message}; see {self.prog} --help'.split())
        self.exit(USAGE, f'{line}\n')

    def parse_known_args(self, args=None, namespace=None):
        """Refuse unknown options here: this parser's help lists the known ones."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f'unrecognized arguments: {" ".join(unknown)}')
        return known, unknown


def parser(verb: Optional[str]) -> argparse.ArgumentParser:
    """Build the parser; only ``verb`` gets its options."""
    root = OneLineParser(
        prog='python -m foundry_ros',
        description='Objects and their parts from any depth sensor, on a token budget.')
    commands = root.add_subparsers(dest='verb', metavar='VERB', required=True)
    for name, (module, summary) in VERBS.items():
        command = commands.add_parser(name, help=summary, description=summary.capitalize() + '.')
        if name == verb:
            import_module(module).add_arguments(command)
    return root


def main(argv: Optional[List[str]] = None) -> int:
    """
    Run a verb.

    :return: 0, 1 after an error that was told in one line, 130 after Ctrl-C; wrong options exit 2.
    """
    argv = sys.argv[1:] if argv is None else argv
    verb = argv[0] if argv and argv[0] in VERBS else None
    logging.basicConfig(format='foundry_ros: %(message)s', level=logging.WARNING)
    try:
        args = parser(verb).parse_args(argv)
        return import_module(VERBS[args.verb][0]).run(args) or 0
    except KeyboardInterrupt:
        return _fail('interrupted', INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        if (error.name or '').startswith('foundry_ros'):
            raise
        return _fail(f'the Python package {error.name!r} is not installed: pip install it, or '
                     'run "make venv" and use .venv/bin/python')
    except OSError as error:
        where = f'{error.filename}: ' if error.filename else ''
        return _fail(f'{where}{error.strerror or error}')
    except ValueError as error:
        if not type(error).__module__.startswith('foundry_ros.'):
            raise
        return _fail(str(error))


def _fail(message: str, code: int = 1) -> int:
    """Tell what is wrong in one line."""
    print(f'foundry_ros: {" ".join(message.split())}', file=sys.stderr)
    return code


if __name__ == '__main__':
    sys.exit(main())
