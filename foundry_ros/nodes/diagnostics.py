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

"""What the node tells on /diagnostics: whether it keeps up, and what it runs on."""

from collections import deque
import platform
from statistics import median
import time
from typing import Callable, Dict, Optional

from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper, Updater
from foundry_ros.pipeline import Frame, Pipeline
from rclpy.node import Node

WINDOW = 30
MANY_DROPPED = 0.5


class Record:
    """
    What happened to the clouds.

    ``received``, ``worked`` and ``dropped`` count them from the start; ``error`` is the last
    problem in one line, or empty when the last cloud went well.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """Start with nothing."""
        self._clock = clock
        self.received = self.dropped = self.worked = 0
        self.error = ''
        self.frame: Optional[Frame] = None
        self._latencies = deque(maxlen=WINDOW)
        self._before = (clock(), 0, 0, 0)

    def done(self, frame: Frame, age_ms: float):
        """Note a cloud that was worked on; ``age_ms`` from its arrival to its results."""
        self.worked += 1
        self.error = ''
        self.frame = frame
        self._latencies.append({**frame.latency_ms, 'arrival to results': age_ms})

    def failed(self, error: str):
        """Note a cloud that could not be worked on."""
        self.error = error

    def latency_ms(self) -> Dict[str, float]:
        """Give the median milliseconds of each stage over the last clouds."""
        rows = list(self._latencies)
        return {stage: median(row[stage] for row in rows) for stage in rows[-1]} if rows else {}

    def take_rates(self) -> Dict[str, float]:
        """Give clouds a second since the last time it was asked, by what happened to them."""
        now = (self._clock(), self.received, self.worked, self.dropped)
        seconds, *counts = (a - b for a, b in zip(now, self._before))
        self._before = now
        return {name: count / max(seconds, 1e-3)
                for name, count in zip(('received', 'worked', 'dropped'), counts)}


class Diagnostics:
    """Reports once a second."""

    def __init__(self, node: Node, record: Record, state: Callable[[], str],
                 pipeline: Callable[[], Optional[Pipeline]]):
        """
        Start to report.

        :param state: gives what the node is doing, in a word or two.
        :param pipeline: gives the pipeline, None while there is none.
        """
        self._record, self._state, self._pipeline = record, state, pipeline
        self._updater = Updater(node)
        self._updater.setHardwareID(platform.node() or 'unknown')
        self._updater.add('perception', self._report)

    def _report(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        """Fill one status."""
        rates, pipeline = self._record.take_rates(), self._pipeline()
        stat.summary(*self._summary(rates, pipeline))
        stat.add('state', self._state())
        for name, rate in rates.items():
            stat.add(f'clouds {name} [1/s]', f'{rate:.2f}')
        for stage, value in self._record.latency_ms().items():
            stat.add(f'latency {stage} [ms]', f'{value:.1f}')
        if self._record.frame:
            frame = self._record.frame
            stat.add('token budget', str(frame.token_budget))
            stat.add('objects', str(len(frame.detections)))
            stat.add('looks of the student', str(frame.looks))
            stat.add('thinning', str(frame.thinning))
        if pipeline:
            _add_pipeline(stat, pipeline)
        return stat

    def _summary(self, rates, pipeline):
        """Judge: level and one line."""
        if self._record.error:
            return DiagnosticStatus.ERROR, self._record.error
        if pipeline and (lost := _lost_providers(pipeline)):
            return (DiagnosticStatus.WARN, f'{lost} is not available, the student runs on '
                    f'{", ".join(pipeline.student.providers)}')
        if rates['dropped'] > MANY_DROPPED * rates['received']:
            return (DiagnosticStatus.WARN, f'{rates["dropped"]:.1f} of {rates["received"]:.1f} '
                    'clouds a second are dropped: this machine does not keep up')
        return DiagnosticStatus.OK, self._state()


def _lost_providers(pipeline) -> str:
    """Name the execution providers that were asked for and are not in use."""
    student = pipeline.student
    return ', '.join(name for name in student.providers_asked if name not in student.providers)


def _add_pipeline(stat, pipeline):
    """Add what the pipeline runs on."""
    student, load = pipeline.student, pipeline.load.read()
    stat.add('model', f'{student.bundle.name} {student.bundle.version}')
    stat.add('execution providers', ', '.join(student.providers))
    stat.add('threads', str(student.threads))
    fixed = pipeline.params.token_budget
    stat.add('why this budget', 'set by token_budget' if fixed else pipeline.controller.reason)
    for name, share in (('CPU', load.cpu), ('own CPU', load.own), ('GPU', load.gpu)):
        stat.add(f'{name} load', 'unknown' if share is None else f'{100 * share:.0f} %')
    stat.add('temperature', 'unknown' if load.temperature is None
             else f'{load.temperature:.0f} C')
    stat.add('throttled by heat', 'yes' if load.throttled else 'no')
    for name, where in pipeline.load.sources.items():
        stat.add(f'{name} is read from', where or 'no source')
