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
import glob
import time
from typing import Callable, Optional, Tuple

import psutil

# Jetson boards tell the load of their GPU per mille; NVML does not know it there.
GPU_FILES = ('/sys/devices/platform/gpu.0/load', '/sys/devices/gpu.*/load',
             '/sys/devices/platform/*.gpu/load')


@dataclass(frozen=True)
class Load:
    """
    Shares of the machine in use, 0 to 1, over the last window; None where nothing tells.

    ``cpu`` of all cores together, ``own`` the part of it that this process uses, ``gpu``,
    ``temperature`` of the hottest sensor in degrees Celsius, and ``throttled``: whether the board
    slows itself down because of heat (false where it does not tell).
    """

    cpu: Optional[float] = None
    own: Optional[float] = None
    gpu: Optional[float] = None
    temperature: Optional[float] = None
    throttled: bool = False


class LoadMonitor:
    """
    Reads the load of this machine, at most twice a second however often it is asked.

    ``missing`` names the sources that this machine does not have.
    """

    def __init__(self, window: float = 2.0, interval: float = 0.5,
                 gpu_files: Tuple[str, ...] = GPU_FILES,
                 clock: Callable[[], float] = time.monotonic):
        """
        Look for sources.

        :param window: seconds that a share is averaged over.
        :param interval: seconds between two readings.
        :param gpu_files: patterns of files that tell the load of the GPU per mille.
        :param clock: seconds, never going back.
        """
        self._clock, self._interval = clock, interval
        self._process = psutil.Process()
        self._cores = psutil.cpu_count() or 1
        self._samples = deque(maxlen=max(2, round(window / interval) + 1))
        self._gpu = _jetson(gpu_files) or _nvml()
        self._load, self._read_at = Load(), None
        sources = {'GPU load': self._gpu, 'temperature': _temperature()}
        self.missing = tuple(name for name, source in sources.items() if source is None)

    def read(self) -> Load:
        """Give the load over the last window; the CPU is None until there are two readings."""
        now = self._clock()
        if self._read_at is None or now - self._read_at >= self._interval:
            self._read_at = now
            self._load = self._measure(now)
        return self._load

    def _measure(self, now):
        """Take a sample and compare it with the oldest one in the window."""
        times, own = psutil.cpu_times(), self._process.cpu_times()
        idle = times.idle + getattr(times, 'iowait', 0.0)
        # guest time is part of user time already
        total = sum(times) - getattr(times, 'guest', 0.0) - getattr(times, 'guest_nice', 0.0)
        self._samples.append((now, total, total - idle, own.user + own.system))
        cpu = share = None
        first = self._samples[0]
        if now > first[0] and total > first[1]:
            cpu = min(max((self._samples[-1][2] - first[2]) / (total - first[1]), 0.0), 1.0)
            used = self._samples[-1][3] - first[3]
            share = min(max(used / ((now - first[0]) * self._cores), 0.0), cpu)
        return Load(cpu, share, self._gpu() if self._gpu else None, _temperature())


def _jetson(patterns):
    """Find a readable file that tells the GPU's load per mille; give its reader or None."""
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            if _per_mille(path) is not None:
                return lambda: _per_mille(path)
    return None


def _per_mille(path):
    try:
        with open(path, encoding='ascii') as stream:
            return min(max(int(stream.read()) / 1000, 0.0), 1.0)
    except (OSError, ValueError):
        return None


def _nvml():
    """Give a reader of the first GPU's utilisation by NVML, or None."""
    try:
        import pynvml
        pynvml.nvmlInit()
        device = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceGetUtilizationRates(device)
    except Exception:  # noqa: B902 not installed, no driver, or a GPU that does not tell
        return None

    def read():
        try:
            return pynvml.nvmlDeviceGetUtilizationRates(device).gpu / 100
        except pynvml.NVMLError:
            return None
    return read


def _temperature():
    """Give the hottest sensor's temperature in degrees Celsius, or None."""
    try:
        sensors = psutil.sensors_temperatures()
    except (AttributeError, OSError):
        return None
    values = [item.current for group in sensors.values() for item in group
              if item.current is not None and -40 < item.current < 150]
    return max(values, default=None)
