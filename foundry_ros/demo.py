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
The demonstration: simulate a recording, replay it, and say how much of the truth was found.

``make demo`` runs ``python -m foundry_ros.demo``.
"""

import argparse
import json
from pathlib import Path
import sys
from typing import List, Optional

from foundry_ros.__main__ import main as command
from foundry_ros.output import OutputError, write_file
from foundry_ros.score import format_score, score, ScoreError
from foundry_ros.simulate import SEED


def parser() -> argparse.ArgumentParser:
    """Declare the options."""
    options = argparse.ArgumentParser(prog='python -m foundry_ros.demo', description='Simulate a '
                                      'recording, replay it and compare with the truth.')
    options.add_argument('--output', metavar='DIR', default='demo_output',
                         help='folder for everything (default: demo_output)')
    options.add_argument('--frames', metavar='N', default='10', help='clouds (default: 10)')
    options.add_argument('--objects', metavar='N', default='8', help='things (default: 8)')
    options.add_argument('--seed', metavar='N', default=str(SEED),
                         help=f'another seed, another scene (default: {SEED})')
    options.add_argument('--model', metavar='DIR', help='model bundle (default: the shipped one)')
    return options


def main(argv: Optional[List[str]] = None) -> int:
    """
    Run the demonstration.

    :return: 0, or the code of the step that failed; it has said why.
    """
    args = parser().parse_args(argv)
    recording = str(Path(args.output) / 'recording')
    replay = ['replay', recording, '--output', args.output, '--masks']
    steps = [['simulate', recording, '--frames', args.frames, '--objects', args.objects,
              '--seed', args.seed], replay + (['--model', args.model] if args.model else [])]
    for step in steps:
        print(f'\n$ python -m foundry_ros {" ".join(step)}', flush=True)
        code = command(step)
        if code:
            return code
    try:
        result = score(recording, args.output)
        write_file(Path(args.output) / 'score.json',
                   json.dumps(result, indent=1).encode() + b'\n')
    except (ScoreError, OutputError) as error:
        print(f'foundry_ros: {error}', file=sys.stderr)
        return 1
    print(f'\nCompared with the truth:\n\n{format_score(result)}\n\npictures: '
          f'{Path(args.output) / "frames"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
