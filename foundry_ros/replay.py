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
"""``replay``: a recording in, named objects and parts out, as files and as a table."""

import argparse
from pathlib import Path
import signal
import sys

from foundry_ros import config, parameter_file
from foundry_ros.options import positive, token_budget
from foundry_ros.output import OutputFolder
from foundry_ros.pipeline import Pipeline
from foundry_ros.recording import DetectionWriter, open_recording
from foundry_ros.student import default_bundle, load_bundle, Student
from foundry_ros.summary import format_summary, frame_entry, mask, summary

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser):
    """Declare the options."""
    parser.add_argument('recording', metavar='RECORDING',
                        help='rosbag2 folder, .mcap or .db3 file, ROS 1 .bag, .pcd or .ply file, '
                             'or a folder of these')
    parser.add_argument('--topic', metavar='T',
                        help='PointCloud2 topic; may be left out where there is only one')
    parser.add_argument('--model', metavar='DIR', help='model bundle (default: the shipped one)')
    parser.add_argument('--token-budget', metavar='N|auto', type=token_budget,
                        help='tokens for an object: 1, 2, 4, 8, 16, 32, 64, or auto to keep up '
                             'with the rate of the recording (default: that of --params, else '
                             'all)')
    parser.add_argument('--params', metavar='FILE.yaml', help='parameters, as for the node')
    parser.add_argument('--output', metavar='DIR',
                        help='folder for the results (default: RECORDING_objects in this folder)')
    parser.add_argument('--every', metavar='N', type=positive, default=1,
                        help='take every Nth cloud only')
    parser.add_argument('--masks', action='store_true',
                        help="also write each point's object as masks/<frame>.npy")
    parser.add_argument('--no-pictures', action='store_true', help='write no frames/*.png')


def run(args: argparse.Namespace) -> int:
    """
    Replay a recording.

    :return: 0, or 130 after Ctrl-C, when the clouds that were done are written all the same.
    """
    params = parameter_file.load(args.params) if args.params else config.Params()
    student = load_student(args.model or params.model.path, params.model)
    budget = args.token_budget
    if budget is None:  # a recording has time for all tokens
        budget = params.token_budget or student.bundle.token_budgets[-1]
    pipeline = Pipeline(config.update(params, {'token_budget': budget}), student)
    with open_recording(args.recording, args.topic) as recording:
        if recording.notice:
            print(f'foundry_ros: {recording.notice}', file=sys.stderr)
        output = args.output or f'{Path(args.recording).resolve().stem}_objects'
        with OutputFolder(output) as folder, _Interrupt() as interrupt:
            frames = _frames(recording, pipeline, folder, args, interrupt)
            bundle = student.bundle
            content = summary(str(args.recording), recording.topic,
                              f'{bundle.name} {bundle.version}', frames)
            folder.write_json('summary.json', content)
            folder.publish()
            count = -(-len(recording) // args.every)
    print(format_summary(content))
    print(f'\nresults in {output}')
    _tell_notices(frames)
    if interrupt.came:
        print(f'foundry_ros: interrupted after {len(frames)} of {count} clouds; they are in '
              f'{output}', file=sys.stderr)
        return INTERRUPTED
    return 0


def load_student(path: str, params: config.ModelParams) -> Student:
    """Load the bundle at ``path``, or the default one where that is empty."""
    return Student(load_bundle(path or default_bundle()), params.providers, params.threads,
                   params.max_batch)


def _frames(recording, pipeline, folder, args, interrupt):
    """Work through the clouds, up to Ctrl-C; give the entries of those done."""
    frames = []
    threshold = pipeline.params.model.score_threshold
    with DetectionWriter(folder.staging, pipeline.student.bundle, threshold) as writer:
        for cloud in _progress(recording, args.every):
            frame = pipeline.process(cloud)
            _write(frame, cloud, len(frames), writer, folder, args)
            frames.append(frame_entry(frame))
            if interrupt.came:
                break
    return frames


def _tell_notices(frames):
    """Tell once that there are clouds without a point to look at, and why."""
    notices = [frame['notice'] for frame in frames if 'notice' in frame]
    if notices:
        print(f'foundry_ros: {len(notices)} of {len(frames)} clouds held nothing to look at: '
              f'{notices[0]}', file=sys.stderr)


class _Interrupt:
    """Let Ctrl-C wait for the end of the cloud in work; a second one does not wait."""

    came = False

    def __enter__(self):
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, *_):
        self.came = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, self._before)


def _progress(recording, every):
    """Go through every Nth cloud under a progress bar."""
    from tqdm import tqdm
    clouds = (cloud for i, cloud in enumerate(recording) if i % every == 0)
    return tqdm(clouds, total=-(-len(recording) // every), unit='cloud', leave=False,
                disable=not sys.stderr.isatty())


def _write(frame, cloud, number, writer, folder, args):
    """Write what belongs to one cloud."""
    name = f'{number:06d}'
    writer.write(frame, cloud)
    if not args.no_pictures:
        from foundry_ros.render import save
        save(frame, cloud, folder.folder('frames') / f'{name}.png')
    if args.masks:
        folder.folder('masks')
        folder.save_array(f'masks/{name}.npy', mask(frame, len(cloud.xyz)))
