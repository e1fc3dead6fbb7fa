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
"""How hot this board is, and whether it slows itself down because of that."""

import os
import re
import time
from typing import Callable, Optional

from foundry_ros.sysfs import find, read_int, read_text, Source

# Millidegrees Celsius each; drivers of older kernels have theirs in device/.
TEMPERATURES = ('sys/class/hwmon/hwmon*/temp*_input', 'sys/class/hwmon/hwmon*/device/temp*_input',
                'sys/class/thermal/thermal_zone*/temp')
# Jetson boards up to Xavier have a zone that always tells 100 degrees.
NO_SENSOR = ('PMIC-Die',)
# Temperatures change slowly, and sensors on a slow bus take milliseconds each.
TEMPERATURE_S = 5.0

# Intel: how often each core and its package became too hot. Counted is the beginning of each time
# only (docs.kernel.org/admin-guide/thermal/intel_thermal_throttle), so a rise is believed a while.
COUNTS = ('sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count',
          'sys/devices/system/cpu/cpu*/thermal_throttle/package_throttle_count')
RISE_S = 5.0

# What cools without moving air slows something down; state 0 is not at all (kernel,
# sysfs-class-thermal). By kernel and board: Processor, intel_powerclamp, thermal-cpufreq-0,
# cpufreq-cpu0, thermal-devfreq-0, devfreq-17000000.gpu, cpu-throttle-alert, gpu-balanced, gpu.
COOLING = ('sys/class/thermal/cooling_device*/type',)
SLOWS_DOWN = re.compile(r'(?!.*(fan|shutdown)).*(processor|powerclamp|cpu|gpu|devfreq)', re.I)

# Raspberry Pi (documentation of vcgencmd get_throttled), hexadecimal, bits for now: 0 voltage too
# low, 1 frequency capped, 2 throttled, 3 soft temperature limit; 16 to 19 are for the past.
# Low voltage causes 1 and 2 as well, without any heat.
PI = ('sys/devices/platform/soc*/soc*:firmware/get_throttled',)
LOW_VOLTAGE, CAPPED_OR_THROTTLED, SOFT_LIMIT = 0b0001, 0b0110, 0b1000


def temperature(root: str = '/', clock: Callable[[], float] = time.monotonic
                ) -> Optional[Source]:
    """
    Find the temperature of the hottest sensor in degrees Celsius.

    :param root: folder in which ``sys`` is.
    :param clock: seconds, never going back; sensors are read every few of them.
    :return: None where no sensor tells one now.
    """
    paths = [path for path in find(root, TEMPERATURES)
             if read_text(os.path.join(os.path.dirname(path), 'type')) not in NO_SENSOR]
    last = {'at': -float('inf'), 'value': None}

    def read():
        now = clock()
        if now - last['at'] >= TEMPERATURE_S:
            values = (read_int(path) for path in paths)
            # sensors without power or contact tell impossible values
            values = [v / 1000 for v in values if v is not None and -40000 < v < 150000]
            last.update(at=now, value=max(values, default=None))
        return last['value']
    if read() is None:
        return None
    return Source(read, _where(paths, 'sensors'))


def throttling(root: str = '/', clock: Callable[[], float] = time.monotonic) -> Optional[Source]:
    """
    Find what tells whether the board slows itself down because of heat.

    :param root: folder in which ``sys`` is.
    :param clock: seconds, never going back.
    :return: its reading is a bool; None where nothing tells.
    """
    sources = [source for source in (_counts(root, clock), _cooling(root), _raspberry_pi(root))
               if source]
    if not sources:
        return None
    # all are read each time: a count that is not read would seem to rise later
    return Source(lambda: sum(bool(source.read()) for source in sources) > 0,
                  ', '.join(source.where for source in sources))


def _counts(root, clock):
    """Watch the counts of Intel processors rise."""
    paths = [path for path in find(root, COUNTS) if read_int(path) is not None]
    last = {path: read_int(path) for path in paths}
    risen = [-float('inf')]

    def read():
        for path in paths:
            count = read_int(path)
            if count is None:
                continue
            if last[path] is not None and count > last[path]:
                risen[0] = clock()
            last[path] = count
        return clock() - risen[0] < RISE_S
    return Source(read, _where(paths, 'counts')) if paths else None


def _cooling(root):
    """Look at the state of what slows processors and GPUs down."""
    states = [os.path.join(os.path.dirname(path), 'cur_state') for path in find(root, COOLING)
              if SLOWS_DOWN.match(read_text(path) or '')]
    states = [path for path in states if read_int(path) is not None]
    if not states:
        return None
    return Source(lambda: any((read_int(path) or 0) > 0 for path in states),
                  _where(states, 'cooling devices'))


def _raspberry_pi(root):
    """Look at the bits of a Raspberry Pi."""
    paths = [path for path in find(root, PI) if read_int(path, 16) is not None]
    if not paths:
        return None

    def read():
        bits = read_int(paths[0], 16) or 0
        slow = bits & CAPPED_OR_THROTTLED and not bits & LOW_VOLTAGE
        return bool(bits & SOFT_LIMIT or slow)
    return Source(read, paths[0])


def _where(paths, what):
    """Say where files are, without naming them all."""
    return paths[0] if len(paths) == 1 else f'{len(paths)} {what} in {os.path.commonpath(paths)}'
