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
The processors that this process may use, and how much of them is in use.

A load is a share of what this process may use: in a container of one core on a machine of sixteen,
a process that keeps one core busy has nothing left, however idle the machine is.
"""

from dataclasses import dataclass
import os
from pathlib import PurePosixPath
from typing import List, Optional, Tuple

from foundry_ros.sysfs import read_int, read_text
import psutil


@dataclass(frozen=True)
class Sample:
    """
    Seconds up to now.

    ``at`` of the clock, ``total`` and ``busy`` of the processors in the affinity mask, ``own`` of
    this process, and ``group`` of all processes that share its quota (None without one).
    """

    at: float
    total: float
    busy: float
    own: float
    group: Optional[float]


class Processors:
    """
    The processors in the affinity mask of this process, within the quota of its control groups.

    ``cores`` says how many it may use at once (1.5, say), ``where`` says so in words.
    """

    def __init__(self, root: str = '/'):
        """
        Look what is allowed; that is not looked at again.

        :param root: folder in which ``proc`` and ``sys`` are.
        """
        self._process = psutil.Process()
        self._root = root
        online = psutil.cpu_count() or 1
        mask = _affinity()
        # only where the mask leaves some out; the sum of all costs less
        self._mask = mask if mask and len(mask) < online else None
        self._count = len(self._mask) if self._mask else online
        quota, folder = _quota(root)
        self._group = folder if quota and quota < self._count else None
        self.cores = min(quota or self._count, self._count)
        self.where = f'psutil: {self._count} of {online} cores'
        if self._group:
            self.where += f', of which {self.cores:g} by the quota in {self._group}'

    def sample(self, now: float) -> Sample:
        """Count seconds; ``now`` is the clock's."""
        times = self._times()
        own = self._process.cpu_times()
        # guest time is part of user time already
        total = sum(sum(t) - getattr(t, 'guest', 0.0) - getattr(t, 'guest_nice', 0.0)
                    for t in times)
        idle = sum(t.idle + getattr(t, 'iowait', 0.0) for t in times)
        return Sample(now, total, total - idle, own.user + own.system,
                      _usage(self._group) if self._group else None)

    def shares(self, first: Sample, last: Sample) -> Tuple[Optional[float], Optional[float]]:
        """
        Compare two samples.

        :return: the share in use of what this process may use, and the part of it that is its
            own; None if no time has passed.
        """
        seconds, total = last.at - first.at, last.total - first.total
        if seconds <= 0 or total <= 0:
            return None, None
        busy = min(max((last.busy - first.busy) / total, 0.0), 1.0) * self._count
        own = min(max((last.own - first.own) / seconds, 0.0), busy)
        # under a quota, others first use the cores that are not ours to use anyway
        others = max(busy - own - (self._count - self.cores), 0.0)
        if first.group is not None and last.group is not None:
            others = max(others, (last.group - first.group) / seconds - own)
        own = min(own / self.cores, 1.0)
        return min(own + others / self.cores, 1.0), own

    def _times(self):
        """Give the times of all processors together, or of each one in the mask."""
        if not self._mask:
            return [psutil.cpu_times()]
        online = _ranges(read_text(os.path.join(self._root, 'sys/devices/system/cpu/online')))
        return [t for i, t in zip(online, psutil.cpu_times(percpu=True)) if i in self._mask]


def usable_cores(root: str = '/') -> float:
    """Tell how many cores this process may use at once, by affinity and quota."""
    return Processors(root).cores


def _affinity():
    """Give the processors that the scheduler may put this process on, None where none says."""
    return os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else None


def _quota(root) -> Tuple[Optional[float], Optional[str]]:
    """Find the tightest quota of the control groups around this process: cores, and folder."""
    quotas = [(_limit(folder), folder) for folder in _control_groups(root)]
    return min((q for q in quotas if q[0]), default=(None, None))


def _control_groups(root) -> List[str]:
    """List the folders of the control groups that this process may be in, and those above."""
    folders = []
    for line in (read_text(os.path.join(root, 'proc/self/cgroup')) or '').splitlines():
        _, _, rest = line.partition(':')
        controllers, _, path = rest.partition(':')
        if controllers and 'cpu' not in controllers.split(','):
            continue
        # version 2 names no controllers; version 1 has a tree for each
        top = os.path.join(root, 'sys/fs/cgroup', 'cpu' if controllers else '')
        # in a container the path may be the host's: then only the top is there
        inner = PurePosixPath(*(part for part in path.split('/') if part not in ('', '..')))
        folders += [os.path.normpath(os.path.join(top, p)) for p in (inner, *inner.parents)]
    return folders


def _limit(folder) -> Optional[float]:
    """Read the quota of a control group in cores, None without one."""
    text = read_text(os.path.join(folder, 'cpu.max'))  # version 2: 'max 100000', '150000 100000'
    fields = text.split() if text else [
        read_text(os.path.join(folder, f'cpu.cfs_{name}_us')) for name in ('quota', 'period')]
    try:
        quota, period = (int(field) for field in fields)
    except (TypeError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None  # version 1: -1 is none


def _usage(folder) -> Optional[float]:
    """Read the processor seconds that a control group has used, None where it does not tell."""
    for line in (read_text(os.path.join(folder, 'cpu.stat')) or '').splitlines():
        name, _, value = line.partition(' ')
        if name == 'usage_usec' and value.isdecimal():
            return int(value) / 1e6
    nanoseconds = read_int(os.path.join(folder, 'cpuacct.usage'))
    return None if nanoseconds is None else nanoseconds / 1e9


def _ranges(text) -> List[int]:
    """List the numbers of '0,2-3'; none where it says something else."""
    try:
        ends = [[int(n) for n in part.split('-')] for part in (text or '').split(',')]
    except ValueError:
        return []
    return [n for pair in ends for n in range(pair[0], pair[-1] + 1)]
