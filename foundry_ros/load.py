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
"""What this board is busy with: CPU, own share apart, GPU and temperature where it tells."""

from collections import deque
from dataclasses import dataclass
import time
from typing import Callable, Dict, Optional

from foundry_ros import heat
from foundry_ros.cores import Processors
from foundry_ros.sysfs import find, read_int, Source

# Jetson boards tell the load of their GPU per mille; NVML does not know it there.
GPU_FILES = ('sys/devices/platform/gpu.0/load', 'sys/devices/gpu.*/load',
             'sys/devices/platform/*.gpu/load')


@dataclass(frozen=True)
class Load:
    """
    Shares in use of what this process may use, 0 to 1, over the last window.

    None where nothing tells. ``cpu`` of all cores together, ``own`` the part of it that this
    process uses, ``gpu``, ``temperature`` of the hottest sensor in degrees Celsius, and
    ``throttled``: whether the board slows itself down because of heat (false where it does not
    tell).
    """

    cpu: Optional[float] = None
    own: Optional[float] = None
    gpu: Optional[float] = None
    temperature: Optional[float] = None
    throttled: bool = False


class LoadMonitor:
    """
    Reads the load of this machine, at most twice a second however often it is asked.

    ``sources`` says what each value is read from, or None; ``missing`` names those without one.
    """

    def __init__(self, window: float = 2.0, interval: float = 0.5, root: str = '/',
                 clock: Callable[[], float] = time.monotonic):
        """
        Look for sources; each of them is found once.

        :param window: seconds that a share is averaged over.
        :param interval: seconds between two readings.
        :param root: folder in which ``proc`` and ``sys`` are.
        :param clock: seconds, never going back.
        """
        self._clock, self._interval = clock, interval
        self._samples = deque(maxlen=max(2, round(window / interval) + 1))
        self._processors = Processors(root)
        self._gpu = _jetson(root) or _nvml()
        self._temperature = heat.temperature(root, clock)
        self._throttling = heat.throttling(root, clock)
        self._load, self._read_at = Load(), None
        optional = {'GPU load': self._gpu, 'temperature': self._temperature,
                    'throttling': self._throttling}
        self.sources: Dict[str, Optional[str]] = {'CPU load': self._processors.where}
        self.sources.update((name, source and source.where) for name, source in optional.items())
        self.missing = tuple(name for name, where in self.sources.items() if where is None)

    def read(self) -> Load:
        """Give the load over the last window; the CPU is None until there are two readings."""
        now = self._clock()
        if self._read_at is None or now - self._read_at >= self._interval:
            self._read_at = now
            self._load = self._measure(now)
        return self._load

    def close(self):
        """Give back what the sources took; the GPU is unknown from then on."""
        if self._gpu:
            self._gpu.close()
            self._gpu = None

    def _measure(self, now):
        """Take a sample and compare it with the oldest one in the window."""
        self._samples.append(self._processors.sample(now))
        cpu, own = self._processors.shares(self._samples[0], self._samples[-1])
        return Load(cpu, own, *(source.read() if source else None
                                for source in (self._gpu, self._temperature)),
                    bool(self._throttling and self._throttling.read()))


def _jetson(root) -> Optional[Source]:
    """Find a readable file that tells the GPU's load per mille."""
    for path in find(root, GPU_FILES):
        if read_int(path) is not None:
            def read():
                value = read_int(path)
                return None if value is None else min(max(value / 1000, 0.0), 1.0)
            return Source(read, path)
    return None


def _nvml() -> Optional[Source]:
    """Find the first GPU's utilisation by NVML."""
    try:
        import pynvml
        pynvml.nvmlInit()
    except Exception:  # noqa: B902 not installed, or no driver
        return None
    try:
        device = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceGetUtilizationRates(device)
    except Exception:  # noqa: B902 no GPU, or one that does not tell
        pynvml.nvmlShutdown()
        return None

    def read():
        try:
            return pynvml.nvmlDeviceGetUtilizationRates(device).gpu / 100
        except pynvml.NVMLError:
            return None
    return Source(read, 'NVML', pynvml.nvmlShutdown)
