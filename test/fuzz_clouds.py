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
Spoilt clouds through the real decoding path and the pipeline, against a second reader.

``make fuzz``, or ``PYTHONPATH=. .venv/bin/python test/fuzz_clouds.py --clouds 20000``. Every
message is either read as :mod:`reference_decoder` reads it, or refused with a CloudError where
that refuses it, too; whatever is read has to pass the pipeline. Anything else is a finding, told
with the number that makes it again (``--only``).
"""

import argparse
from collections import Counter
import faulthandler
import random
import re
import resource
import sys
import tempfile
import time
import tracemalloc
from typing import Optional
import warnings

from cloud_mutations import mutant
from foundry_ros.cloud import Cloud, CloudError, from_message
from foundry_ros.config import Params, update
from foundry_ros.pipeline import Pipeline
from foundry_ros.student import load_bundle, Student
from mock_bundle import make_bundle
import numpy as np
from reference_decoder import Contradiction, decode

MODES = ('tabletop', 'room', 'lidar')
HANG_S = 300


class Finding(AssertionError):
    """Something that must not happen."""


def read(msg) -> Cloud:
    """
    Read a message and compare it with what the second reader makes of it.

    :raises CloudError: it is refused, rightly.
    :raises Finding: refused wrongly, read wrongly, or read where the other one refuses.
    """
    try:
        expected, reason = decode(msg), ''
    except Contradiction as error:
        expected, reason = None, str(error)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    try:
        cloud = from_message(msg)
    except CloudError as error:
        if expected is not None:
            raise Finding(f'refused without need: {error}') from None
        if '\n' in str(error) or not str(error):
            raise Finding(f'not one line: {error!r}') from None
        raise
    finally:
        taken = tracemalloc.get_traced_memory()[1] - before
        if tracemalloc.is_tracing() and taken > 2**18 + 64 * len(msg.data):
            raise Finding(f'{taken} bytes taken to read {len(msg.data)}')
    if expected is None:
        raise Finding(f'read although it contradicts itself: {reason}')
    _compare(cloud, expected)
    return cloud


def _compare(cloud, expected):
    """Raise Finding unless the cloud is the expected one."""
    for name in ('height', 'width', 'frame_id', 'stamp'):
        if getattr(cloud, name) != getattr(expected, name):
            raise Finding(f'{name} is {getattr(cloud, name)}, not {getattr(expected, name)}')
    with np.errstate(over='ignore', invalid='ignore'):
        xyz = np.array(expected.xyz, np.float64).reshape(-1, 3).astype(np.float32)
    if not np.array_equal(cloud.xyz, xyz, equal_nan=True):
        raise Finding(f'other coordinates: {cloud.xyz} instead of {xyz}')
    if (cloud.rgb is None) != (expected.rgb is None):
        raise Finding('colour is there for one of them only')
    if cloud.rgb is not None and not np.array_equal(
            cloud.rgb, np.array(expected.rgb, np.uint8).reshape(-1, 3)):
        raise Finding(f'other colours: {cloud.rgb} instead of {expected.rgb}')


def pass_on(pipeline: Pipeline, cloud: Cloud):
    """
    Send a cloud through the pipeline.

    :raises Finding: objects of points that are none, or without a size.
    """
    frame = pipeline.process(cloud)
    for detection in frame.detections:
        box = detection.box
        numbers = np.concatenate([np.ravel(each) for each in vars(box).values()])
        if not np.isfinite(cloud.xyz[detection.indices]).all() or not np.isfinite(numbers).all():
            raise Finding(f'an object of no points: {box}')


class Fuzzer:
    """Counts what became of the messages: ``outcomes`` by kind of answer, ``ways`` by change."""

    def __init__(self, pipeline: Optional[Pipeline] = None):
        """Keep the pipeline; without one, messages are only read."""
        self.pipeline = pipeline
        self.outcomes, self.ways, self.findings = Counter(), Counter(), []
        self.slowest, self.objects = (0.0, ''), 0

    def run(self, seed: str, scene: bool = False):
        """Make the message of this seed and see what becomes of it."""
        rng = random.Random(seed)
        mutation = mutant(rng, scene)
        start = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('error')
                cloud = read(mutation['message'])
                outcome = 'read'
                if self.pipeline:
                    self.pipeline.params = update(Params(), {'objects.mode': rng.choice(MODES)})
                    pass_on(self.pipeline, cloud)
        except CloudError as error:
            outcome = 'refused: ' + re.sub(r"[-\d]+|'.*'|field .*", '#', str(error))[:50]
        except Exception as error:  # noqa: B902 any other is what is looked for
            outcome = 'FINDING'
            self.findings.append(f'{seed} {mutation["ways"]}: {type(error).__name__}: {error}')
        self.outcomes[outcome] += 1
        self.ways.update({(way, outcome == 'read') for way in mutation['ways'] or ['none']})
        self.slowest = max(self.slowest, ((time.process_time() - start) * 1e3, seed))

    def report(self) -> str:
        """Put the counts in lines."""
        lines = [f'{count:8} {outcome}' for outcome, count in self.outcomes.most_common()]
        lines += ['', 'changed     read  refused']
        lines += [f'{way:8} {self.ways[way, True]:8} {self.ways[way, False]:8}'
                  for way in sorted({way for way, _ in self.ways})]
        lines += ['', f'slowest: {self.slowest[0]:.0f} ms of processor time ({self.slowest[1]})',
                  *self.findings[:20]]
        return '\n'.join(lines)


def main() -> int:
    """Fuzz; give 1 after a finding."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    options.add_argument('--clouds', type=int, default=20000, help='small ones (20000)')
    options.add_argument('--scenes', type=int, default=500, help='whole scenes (500)')
    options.add_argument('--seed', default='0')
    options.add_argument('--only', metavar='SEED', help='make this one again, as told')
    args = options.parse_args()
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Pipeline(Params(), Student(load_bundle(make_bundle(folder)), threads=1)))
    seeds = [args.only] if args.only else (
        [f'{args.seed}/cloud/{i}' for i in range(args.clouds)]
        + [f'{args.seed}/scene/{i}' for i in range(args.scenes)])
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for i, seed in enumerate(seeds):
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        if i % 20 == 0:  # it costs time, so only some are traced
            tracemalloc.start()
        fuzzer.run(seed, '/scene/' in seed)
        tracemalloc.stop()
    faulthandler.cancel_dump_traceback_later()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f'{len(seeds)} messages, {len(fuzzer.findings)} findings, '
          f'{time.process_time() - start:.0f} s of processor time, '
          f'peak memory {grown:.0f} MiB above the start\n\n{fuzzer.report()}')
    return 1 if fuzzer.findings else 0


if __name__ == '__main__':
    sys.exit(main())
