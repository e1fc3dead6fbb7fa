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
Whole frames, stage by stage: from the bytes of a PointCloud2 to the content of the messages.

Every object is looked at in each frame, and a budget is fixed; a node that follows objects and
the load does less.
"""

from collections import defaultdict
import time
from types import SimpleNamespace
from typing import Any, Dict, Iterable, List, Sequence

from foundry_ros import config, results
from foundry_ros.cloud import Cloud, from_message, records
from foundry_ros.pipeline import Pipeline
from foundry_ros.pointcloud2 import fields_to_bytes
from foundry_ros.student import Student
import numpy as np

# ``rest`` is naming, parts and tracks; ``messages`` the content of detections and parts.
STAGES = ('decode', 'crop', 'segment', 'tokens', 'student', 'rest', 'messages', 'total')
MIDDLE = 16


def message(cloud: Cloud) -> SimpleNamespace:
    """Give a cloud as a driver sends it: what a sensor_msgs/PointCloud2 holds."""
    content = fields_to_bytes(records(cloud.xyz, cloud.rgb).reshape(cloud.height, cloud.width))
    fields = [SimpleNamespace(**each) for each in content.pop('fields')]
    seconds, rest = divmod(cloud.stamp, 10 ** 9)
    header = SimpleNamespace(frame_id=cloud.frame_id,
                             stamp=SimpleNamespace(sec=seconds, nanosec=rest))
    return SimpleNamespace(header=header, fields=fields, **content)


class Timed:
    """A pipeline at a budget that times all stages of a frame."""

    def __init__(self, student: Student, params: config.Params, budget: int):
        """Warm the student."""
        self.pipeline = Pipeline(config.update(params, {
            'token_budget': budget, 'tracks.refresh_s': 0.0}), student)
        self.classes = student.bundle.classes

    def __call__(self, sent: SimpleNamespace):
        """Process a message; give the frame and milliseconds by stage."""
        start = time.perf_counter()
        cloud = from_message(sent)
        decoded = time.perf_counter()
        frame = self.pipeline.process(cloud)
        made = time.perf_counter()
        results.detections(frame)
        results.parts(frame, cloud.xyz, self.classes)
        end = time.perf_counter()
        ms = {**frame.latency_ms, 'decode': (decoded - start) * 1e3,
              'messages': (end - made) * 1e3, 'total': (end - start) * 1e3}
        ms['rest'] = ms['total'] - sum(ms.get(stage, 0.0) for stage in STAGES[:-1])
        return frame, ms


def summary(times: Sequence[Dict[str, float]]) -> Dict[str, float]:
    """Give the median of each stage and ``p95`` of the total."""
    row = {stage: round(float(np.median([ms[stage] for ms in times])), 3) for stage in STAGES}
    row['p95'] = round(float(np.percentile([ms['total'] for ms in times], 95)), 3)
    return row


def budgets_of(student: Student) -> List[int]:
    """Choose the smallest budget of a menu, a middle one and the largest."""
    menu = student.bundle.token_budgets
    return list(dict.fromkeys((menu[0], MIDDLE if MIDDLE in menu else menu[0], menu[-1])))


def run(clouds: Iterable[Cloud], student: Student, params: config.Params) -> Dict[str, Any]:
    """
    Time whole frames cloud by cloud, at each budget in turn.

    :return: ``clouds``, ``points`` and ``objects`` (medians a cloud) and ``latency_ms``: budget
        -> stage -> median, and ``p95``.
    """
    timed = {budget: Timed(student, params, budget) for budget in budgets_of(student)}
    times: Dict[int, List[Dict[str, float]]] = defaultdict(list)
    points, found = [], []
    for number, cloud in enumerate(clouds):
        sent = message(cloud)
        points.append(len(cloud.xyz))
        for budget, process in timed.items():
            if number == 0:
                process(sent)  # the first time pays for memory that is then there
            frame, ms = process(sent)
            times[budget].append(ms)
        found.append(len(frame.detections))
    if not points:
        return {'clouds': 0}
    return {'clouds': len(points), 'points': int(np.median(points)),
            'objects': float(np.median(found)),
            'latency_ms': {str(budget): summary(rows) for budget, rows in times.items()}}


def head() -> str:
    """Give the names of the columns that :func:`line` fills."""
    return ''.join(f'{stage:>10}' for stage in (*STAGES, 'p95'))


def line(row: Dict[str, float]) -> str:
    """Write the milliseconds of a row of :func:`summary`."""
    return ''.join(f'{row[stage]:10.1f}' for stage in (*STAGES, 'p95'))


def format_table(result: Dict[str, Any]) -> str:
    """Write the result of :func:`run` as a table."""
    if not result['clouds']:
        return 'Whole frames: the recording holds none'
    lines = [f'Whole frames: median ms of {result["clouds"]} clouds of {result["points"]} points '
             f'with {result["objects"]:.0f} objects', f'{"tokens":>8}' + head()]
    lines += [f'{budget:>8}' + line(row) for budget, row in result['latency_ms'].items()]
    return '\n'.join(lines)
