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
``bench``: how good and how fast this is, measured here.

The table for people goes to stderr, the same as JSON to stdout (or to ``--output``). Budgets are
timed in turns, round by round, so that whatever else runs on the machine slows all of them alike
and their ratios hold.
"""

import argparse
from itertools import islice
from pathlib import Path
import platform
import sys
import time
from typing import Any, Dict, Optional, Tuple

from foundry_ros import (bench_frames, bench_growth, bench_network, bench_page, bench_profile,
                         bench_scenes, bench_threads, config, parameter_file)
from foundry_ros.bench_names import format_table as names_table, NamesError, read_names
from foundry_ros.bench_names import run as bench_names
from foundry_ros.bench_objects import format_table, run as bench_objects
from foundry_ros.bench_tracks import format_table as tracks_table, run as bench_tracks
from foundry_ros.bundle import default_bundle, load_bundle
from foundry_ros.options import positive
from foundry_ros.output import readable_json, write_file
from foundry_ros.student import Student
from foundry_ros.tokens import GROUPS, NEIGHBOURS
import numpy as np
import onnxruntime

BATCHES = (1, 8)


def add_arguments(parser: argparse.ArgumentParser):
    """Declare the options."""
    parser.add_argument('--frames', metavar='DIR', help='labelled frames of a depth camera '
                        '(mosd_depth_label.npz): measures how well objects are found')
    parser.add_argument('--names', metavar='FILE.yaml', help='the names that fit the objects of '
                        '--frames (training/data/mosd_names.yaml): measures how well they are '
                        'named')
    parser.add_argument('--tracks', metavar='N', type=positive, help='also follow the things of '
                        'N simulated scenes: measures what many looks are worth')
    parser.add_argument('--recording', metavar='PATH',
                        help='recording whose frames are timed (default: a simulated one)')
    parser.add_argument('--topic', metavar='T', help='PointCloud2 topic of --recording')
    parser.add_argument('--clouds', metavar='N', type=positive, default=10,
                        help='at most so many clouds are timed (default: 10)')
    parser.add_argument('--model', metavar='DIR', help='model bundle (default: the shipped one)')
    parser.add_argument('--params', metavar='FILE.yaml', help='parameters, as for the node')
    parser.add_argument('--threads', metavar='N', type=positive, default=1,
                        help='threads of the student (default: 1)')
    parser.add_argument('--repeat', metavar='N', type=positive, default=20,
                        help='rounds that each budget is timed (default: 20)')
    parser.add_argument('--thread-study', metavar='ROUNDS', type=positive, nargs='?', const=3,
                        help='measure instead what two threads are worth to the student, while '
                        'other processes take 0, 1 and 2 cores')
    parser.add_argument('--network', metavar='DIR', help='measure instead the model beside the '
                        'networks in a folder, which "python -m training baselines" writes')
    parser.add_argument('--beside', metavar='BUNDLE', action='append', default=[],
                        help='another bundle for --network, in another precision, say; may be '
                        'given again')
    parser.add_argument('--scenes', action='store_true', help='measure instead whole scenes of '
                        '2^12 to 2^20 points as one sequence of tokens, with --network beside '
                        'the teacher')
    parser.add_argument('--growth', metavar='CLOUDS', type=positive, nargs='?', const=5,
                        help='measure instead how the time of a frame grows with objects and '
                        'points')
    parser.add_argument('--profile', action='store_true', help='tell instead where the time of a '
                        'frame and that of the model go')
    parser.add_argument('--page', metavar='DIR', help='lay out instead the results that --output '
                        'wrote to DIR as network.json, growth.json and scenes.json')
    parser.add_argument('--output', metavar='FILE.json', help='write the JSON there')


def run(args: argparse.Namespace) -> int:
    """Measure; return 0."""
    if args.page:
        print(bench_page.write(args.page))
        return 0
    if args.output:  # what cannot be written is better known before all the work
        Path(args.output).parent.mkdir(parents=True, exist_ok=True)
    if args.names and not args.frames:
        raise NamesError('--names says what the objects of --frames are: give both')
    bundle = load_bundle(args.model or default_bundle())
    instead = _instead(args, bundle)
    if instead:
        results, table = instead
        _tell(table)
        return _write({'machine': machine(), 'model': bundle.name, **results}, args.output)
    names = read_names(args.names) if args.names else None
    student = Student(bundle, threads=args.threads)
    params = _params(args)
    result: Dict[str, Any] = {'machine': machine(), 'model': student.bundle.name}
    if args.frames:
        result['objects'] = bench_objects(args.frames, params=params.objects)
        _tell('Objects on labelled frames\n' + format_table(result['objects']))
    if names:
        result['names'] = bench_names(args.frames, names, student, params)
        _tell('Names on labelled frames\n' + names_table(result['names']))
    if args.tracks:
        result['tracks'] = bench_tracks(args.tracks, student, params)
        _tell('Things followed past a moving camera\n' + tracks_table(result['tracks']))
    result['student'] = student_speed(student, args.repeat)
    _tell(_student_table(result['student']))
    clouds = list(islice(_clouds(args), args.clouds))
    result['frame'] = bench_frames.run(clouds, student, params)
    _tell(bench_frames.format_table(result['frame']))
    return _write(result, args.output)


def _instead(args, bundle) -> Optional[Tuple[Dict[str, Any], str]]:
    """Measure what is asked for instead of the usual; give results and a table, or None."""
    if args.thread_study:
        threads = bench_threads.run(bundle, args.thread_study)
        return {'threads': threads}, bench_threads.format_table(threads)
    if args.scenes:
        scenes = bench_scenes.run(bundle, args.network)
        return {'scenes': scenes}, bench_scenes.format_table(scenes)
    if args.network:
        bundles = [bundle, *map(load_bundle, args.beside)]
        networks = bench_network.run(args.network, bundles, args.repeat)
        return {'accuracy': bench_network.accuracy(bundles),
                'networks': networks}, bench_network.format_table(networks)
    if args.growth:
        growth = bench_growth.run(Student(bundle, threads=args.threads), _params(args),
                                  args.growth)
        return {'growth': growth}, bench_growth.format_table(growth)
    if args.profile:
        profile = bench_profile.run(list(islice(_clouds(args), args.clouds)),
                                    Student(bundle, threads=1), _params(args))
        return {'profile': profile}, bench_profile.format_table(profile)
    return None


def _params(args) -> config.Params:
    """Read the parameters, or take the defaults."""
    return parameter_file.load(args.params) if args.params else config.Params()


def _write(result, path) -> int:
    """Write the JSON to a file or to stdout; give 0."""
    text = readable_json(result)
    if path:
        write_file(path, text.encode() + b'\n')
    else:
        print(text)
    return 0


def _tell(text):
    print(text + '\n', file=sys.stderr)


def machine() -> Dict[str, Any]:
    """Describe what was measured on."""
    return {'processor': _processor(), 'system': platform.system(), 'python':
            platform.python_version(), 'numpy': np.__version__,
            'onnxruntime': onnxruntime.__version__}


def _processor() -> str:
    """Name the processor."""
    try:
        with open('/proc/cpuinfo', encoding='utf-8') as stream:
            names = [line.partition(':')[2].strip() for line in stream if 'model name' in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def student_speed(student: Student, repeat: int) -> Dict[str, Any]:
    """
    Time the student at each budget.

    :param repeat: rounds; in each all budgets take their turn.
    :return: ``threads``, ``provider`` and ``budgets``: budget -> ``batch_1`` and ``batch_8``,
        milliseconds an object, median, and ``speedup_1``, ``speedup_8`` over all tokens in the
        same round, median.
    """
    rng = np.random.default_rng(0)
    menu = student.bundle.token_budgets
    rows: Dict[int, Dict[str, float]] = {budget: {} for budget in menu}
    student.warm()
    for batch in BATCHES:
        groups = rng.normal(0, 0.1, (batch, GROUPS, NEIGHBOURS, 3)).astype(np.float32)
        centers = rng.normal(0, 0.5, (batch, GROUPS, 3)).astype(np.float32)
        times = np.zeros((repeat, len(menu)))
        for i in range(repeat):
            for j, budget in enumerate(menu):
                start = time.perf_counter()
                student(groups, centers, budget)
                times[i, j] = (time.perf_counter() - start) * 1e3 / batch
        for j, budget in enumerate(menu):
            rows[budget][f'batch_{batch}'] = round(float(np.median(times[:, j])), 4)
            rows[budget][f'speedup_{batch}'] = round(
                float(np.median(times[:, -1] / times[:, j])), 3)
    return {'threads': student.threads, 'provider': student.providers[0],
            'budgets': {str(budget): row for budget, row in rows.items()}}


def _clouds(args):
    """Give the clouds to time: of a recording, or of a simulated table."""
    if args.recording:
        from foundry_ros.recording import open_recording
        with open_recording(args.recording, args.topic) as recording:
            yield from recording
    else:
        from foundry_ros.simulate import Simulation
        yield from (cloud for cloud, _ in Simulation(frames=args.clouds))


def _student_table(result) -> str:
    lines = [f'Student, {result["threads"]} threads, {result["provider"]}: ms an object, and how '
             'many times as fast as with all tokens',
             f'{"tokens":>8}' + ''.join(f'{f"batch {b}":>12}{"":>8}' for b in BATCHES)]
    for budget, row in result['budgets'].items():
        cells = (f'{row[f"batch_{b}"]:12.2f}{row[f"speedup_{b}"]:7.2f}x' for b in BATCHES)
        lines.append(f'{budget:>8}' + ''.join(cells))
    return '\n'.join(lines)
