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
"""Processors that a process may use, by affinity and quota, and the load of just those."""

from collections import namedtuple
from types import SimpleNamespace

from foundry_ros import cores
from foundry_ros.cores import Processors, usable_cores
import pytest

Times = namedtuple('Times', 'user idle')


class Machine:
    """Some processors, each busy for as long as a test says, and the processes of a test."""

    now = own = 0.0

    def __init__(self, count):
        """Start idle."""
        self.busy = [0.0] * count

    def cpu_times(self, percpu=False):
        """Give times as psutil does."""
        each = [Times(busy, self.now - busy) for busy in self.busy]
        return each if percpu else Times(*map(sum, zip(*each)))

    def process(self):
        """Give this process, as psutil does."""
        return SimpleNamespace(cpu_times=lambda: SimpleNamespace(user=self.own, system=0.0))


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Put a machine of four processors in the place of this one."""
    machine = Machine(4)
    machine.root = tmp_path
    monkeypatch.setattr(cores, 'psutil', SimpleNamespace(
        cpu_times=machine.cpu_times, Process=machine.process, cpu_count=lambda: 4))
    monkeypatch.setattr(cores, '_affinity', lambda: {0, 1, 2, 3})
    return machine


def write(root, files):
    """Write files: path -> text."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def load(machine, busy, own, group=None):
    """Let a second pass and give the shares."""
    found = Processors(str(machine.root))
    first = found.sample(0.0)
    machine.now, machine.busy, machine.own = 1.0, busy, own
    if group:
        write(machine.root, group)
    return found.shares(first, found.sample(1.0))


def test_the_whole_machine(machine):
    """Without a limit a share is one of all processors."""
    assert usable_cores(str(machine.root)) == 4
    assert load(machine, [1, 0.5, 0.5, 0], 1.0) == (0.5, 0.25)


def test_no_time_is_no_share(machine):
    """Two samples of the same moment tell nothing."""
    found = Processors(str(machine.root))
    assert found.shares(found.sample(0.0), found.sample(0.0)) == (None, None)


def test_affinity(machine, monkeypatch):
    """Processors that this process may not use do not count; those that are off have no times."""
    monkeypatch.setattr(cores, '_affinity', lambda: {0, 5})
    write(machine.root, {'sys/devices/system/cpu/online': '0,3-5\n'})
    assert usable_cores(str(machine.root)) == 2
    assert load(machine, [0.5, 1, 1, 0], 0.5) == (0.25, 0.25)


QUOTAS = [
    {'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n'},
    {'proc/self/cgroup': '0::/system.slice/robot.service\n',  # the tightest, here or above
     'sys/fs/cgroup/system.slice/cpu.max': '150000 100000\n',
     'sys/fs/cgroup/system.slice/robot.service/cpu.max': '300000 100000\n'},
    {'proc/self/cgroup': '0::/docker/123\n', 'sys/fs/cgroup/cpu.max': '75000 50000\n'},
    {'proc/self/cgroup': '4:memory:/\n3:cpu,cpuacct:/docker/123\n0::/\n',
     'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '150000\n',
     'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n'},
    {'proc/self/cgroup': '0::/../..\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n'},
]


@pytest.mark.parametrize('files', QUOTAS)
def test_quota(machine, files):
    """One and a half cores of four: what this process uses is a share of those."""
    write(machine.root, files)
    assert usable_cores(str(machine.root)) == 1.5
    assert load(machine, [1, 0.5, 0, 0], 1.5) == (1.0, 1.0)


@pytest.mark.parametrize('files', [
    {}, {'proc/self/cgroup': 'garbage\n'}, {'proc/self/cgroup': '0::/\n'},
    {'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': 'max 100000\n'},
    {'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '1 0\n'},
    {'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '800000 100000\n'},
    {'proc/self/cgroup': '3:cpu:/\n', 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
     'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n'},
])
def test_no_quota(machine, files):
    """None, garbage, or more than there is."""
    write(machine.root, files)
    assert usable_cores(str(machine.root)) == 4


def test_others_under_a_quota(machine):
    """Others take nothing away while they use cores that are not ours to use anyway."""
    write(machine.root, QUOTAS[0])
    assert load(machine, [1, 1, 0.75, 0], 0.75) == (0.5, 0.5)
    machine.__init__(4)
    machine.now = machine.own = 0.0
    assert load(machine, [1, 1, 1, 1], 0.75) == (1.0, 0.5)


@pytest.mark.parametrize('before, after', [
    ({'sys/fs/cgroup/cpu.stat': 'usage_usec 5000000\nuser_usec 1\n'},
     {'sys/fs/cgroup/cpu.stat': 'usage_usec 6200000\nuser_usec 1\n'}),
    ({'sys/fs/cgroup/cpuacct.usage': '5000000000\n'},
     {'sys/fs/cgroup/cpuacct.usage': '6200000000\n'})])
def test_neighbours_share_the_quota(machine, before, after):
    """What the other processes of the container use is gone."""
    write(machine.root, {**QUOTAS[0], **before})
    cpu, own = load(machine, [1, 0.2, 0, 0], 0.6, after)
    assert (cpu, own) == (pytest.approx(0.8), pytest.approx(0.4))


def test_this_machine():
    """On a real machine there is at least some core to use."""
    found = Processors()
    assert 0 < found.cores <= cores.psutil.cpu_count()
    assert 'psutil' in found.where
