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
"""Load: shares between 0 and 1, own part told apart, absent sources left out."""

import sys
from types import SimpleNamespace

from foundry_ros import cores, load as load_module
from foundry_ros.load import Load, LoadMonitor
import pytest


class Machine:
    """A machine of two cores whose clock and times a test sets, in place of psutil."""

    now = busy = own = 0.0
    reads = 0

    def cpu_times(self):
        """Give the machine's times, as psutil does."""
        self.reads += 1

        class Times(tuple):
            user, idle = self.busy, 2 * self.now - self.busy
        return Times((Times.user, Times.idle))

    def process(self):
        """Give this process, as psutil does."""
        return SimpleNamespace(cpu_times=lambda: SimpleNamespace(user=self.own, system=0.0))


@pytest.fixture
def machine(monkeypatch):
    """Put a machine in the place of this one."""
    machine = Machine()
    fake = SimpleNamespace(cpu_times=machine.cpu_times, Process=machine.process,
                           cpu_count=lambda: 2)
    monkeypatch.setattr(cores, 'psutil', fake)
    monkeypatch.setattr(cores, '_affinity', lambda: None)
    monkeypatch.setattr(load_module, '_nvml', lambda: None)
    return machine


@pytest.fixture
def monitor(machine, tmp_path):
    """Give what makes monitors of the machine."""
    return lambda **options: LoadMonitor(clock=lambda: machine.now, root=str(tmp_path), **options)


def test_shares_of_the_window(machine, monitor):
    """Of two cores one is busy, half of that with our own work."""
    load = monitor()
    assert load.read().cpu is None
    machine.now, machine.busy, machine.own = 1.0, 1.0, 0.5
    assert (load.read().cpu, load.read().own) == (0.5, 0.25)


def test_the_past_leaves_the_window(machine, monitor):
    """What was long ago does not count."""
    load = monitor(window=2.0, interval=0.5)
    for step in range(1, 41):
        machine.now = step / 2
        if step <= 20:
            machine.busy = machine.now * 2
        value = load.read()
        if step == 20:
            assert value.cpu == pytest.approx(1.0)
    assert value.cpu == pytest.approx(0.0)


def test_asking_often_reads_seldom(machine, monitor):
    """A hundred questions within the interval are one reading."""
    load = monitor()
    for _ in range(100):
        load.read()
    assert machine.reads == 1


def test_absent_sources_are_named(monitor):
    """No GPU and no sensor: None, and named once for whoever tells the user."""
    load = monitor()
    assert load.missing == ('GPU load', 'temperature', 'throttling')
    assert load.read() == Load()


def test_gpu_of_a_jetson(machine, monitor, tmp_path):
    """The file tells per mille; if it goes away later the load is unknown, not an error."""
    file = tmp_path / 'sys/devices/platform/gpu.0/load'
    file.parent.mkdir(parents=True)
    file.write_text('437\n')
    load = monitor()
    assert load.read().gpu == pytest.approx(0.437)
    assert load.sources['GPU load'] == str(file) and 'GPU load' not in load.missing
    file.unlink()
    machine.now = 1.0
    assert load.read().gpu is None


def test_heat(machine, monitor, tmp_path):
    """A hot board that slows its processor down says so, with where it is read from."""
    files = {'thermal_zone0/temp': '91500', 'cooling_device0/type': 'cpufreq-cpu0',
             'cooling_device0/cur_state': '2'}
    for name, text in files.items():
        file = tmp_path / 'sys/class/thermal' / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + '\n')
    load = monitor()
    assert load.read() == Load(temperature=91.5, throttled=True)
    assert load.missing == ('GPU load',)
    assert load.sources['throttling'] == str(file)
    file.write_text('0\n')
    machine.now = 1.0
    assert load.read().throttled is False


def test_this_machine():
    """On a real machine the shares are shares."""
    now = [0.0]
    load = LoadMonitor(clock=lambda: now[0])
    load.read()
    sum(i * i for i in range(1000000))
    now[0] = 1.0
    value = load.read()
    assert value.cpu is None or 0 <= value.own <= value.cpu <= 1


@pytest.mark.parametrize('tells', [True, False])
def test_nvml_is_given_back(monkeypatch, tmp_path, tells):
    """Every start of NVML has its end, also where the GPU does not tell its load."""
    class Error(Exception):
        """An error of NVML."""

    def rates(device):
        if not tells:
            raise Error('not supported')
        return SimpleNamespace(gpu=50)
    opened = []
    monkeypatch.setitem(sys.modules, 'pynvml', SimpleNamespace(
        NVMLError=Error, nvmlInit=lambda: opened.append(1), nvmlShutdown=opened.pop,
        nvmlDeviceGetHandleByIndex=lambda index: index, nvmlDeviceGetUtilizationRates=rates))
    load = LoadMonitor(root=str(tmp_path))
    assert load.read().gpu == (0.5 if tells else None) and len(opened) == tells
    load.close()
    load.close()
    assert not opened
