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
from typing import Any, Dict, Iterable, List, Optional

from foundry_ros.__main__ import main as command, OneLineParser
from foundry_ros.config import ModelParams, Params, update
from foundry_ros.names import NO_PART
from foundry_ros.output import OutputError, write_file
from foundry_ros.pipeline import Pipeline
from foundry_ros.replay import load_student
from foundry_ros.score import format_score, score, score_frame, ScoreError
from foundry_ros.simulate import SEED, Simulation
from foundry_ros.student import Student
from foundry_ros.summary import mask
import numpy as np


def parser() -> argparse.ArgumentParser:
    """Declare the options."""
    options = OneLineParser(prog='python -m foundry_ros.demo', description='Simulate a recording, '
                            'replay it and compare with the truth.')
    options.add_argument('--output', metavar='DIR', default='demo_output',
                         help='folder for everything (default: demo_output)')
    options.add_argument('--frames', metavar='N', default='10', help='clouds (default: 10)')
    options.add_argument('--objects', metavar='N', default='8', help='things (default: 8)')
    options.add_argument('--seed', metavar='N', default=str(SEED),
                         help=f'another seed, another scene (default: {SEED})')
    options.add_argument('--model', metavar='DIR', help='model bundle (default: the shipped one)')
    options.add_argument('--survey', metavar='N', type=int, default=0, help='then look at N more '
                         'scenes, two clouds each, without pictures: surer figures (default: 0)')
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
    if args.survey:
        student = load_student(args.model or '', ModelParams())
        seeds = range(int(args.seed) + 1, int(args.seed) + 1 + args.survey)
        print(f'\nIn {args.survey} more scenes:\n\n{format_score(survey(student, seeds))}')
    return 0


def survey(student: Student, seeds: Iterable[int], scene: str = 'tabletop', frames: int = 2
           ) -> Dict[str, Any]:
    """
    Score many scenes, the largest budget.

    :param seeds: one scene each.
    :param frames: clouds of each, from one end of the camera's way to the other.
    :return: as :func:`foundry_ros.score.score`.
    """
    bundle = student.bundle
    ids = {name: i for i, name in enumerate(bundle.parts)}
    scores = []
    for seed in seeds:
        simulation = Simulation(scene, frames=frames, seed=seed)
        numbers = np.array([ids.get(name, -2) for name in simulation.parts] + [NO_PART])
        for cloud, truth in simulation:
            # Each cloud is new to its pipeline: the ends of the camera's way are far apart.
            frame = Pipeline(update(Params(), {'token_budget': 64}), student).process(cloud)
            found = np.full(len(cloud.xyz), NO_PART)
            for item in frame.detections:
                found[item.indices] = item.parts
            scores.append(score_frame(truth.objects, truth.instance, numbers[truth.part],
                                      [item.label for item in frame.detections],
                                      mask(frame, len(cloud.xyz)), found))
    rows = [{**row, 'known': row['class'] in bundle.classes} for new, _, _ in scores
            for row in new]
    return {'clouds': len(scores), 'objects': rows, 'false': sum(s[1] for s in scores),
            'fragments': sum(s[2] for s in scores)}


if __name__ == '__main__':
    sys.exit(main())
