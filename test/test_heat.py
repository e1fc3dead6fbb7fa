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
"""Heat, by made-up trees of /sys as boards have them."""

from foundry_ros.heat import temperature, throttling
import pytest

COOLING = 'sys/class/thermal/cooling_device'
INTEL = 'sys/devices/system/cpu/cpu'
PI = 'sys/devices/platform/soc/soc:firmware/get_throttled'


class Board:
    """A folder in the place of the root, and a clock that a test sets."""

    now = 0.0

    def __init__(self, folder):
        """Start with nothing."""
        self.folder = folder

    def write(self, files):
        """Write files: path -> text."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def cooling(self, *kinds, state='0\n'):
        """Write cooling devices."""
        for i, kind in enumerate(kinds):
            self.write({f'{COOLING}{i}/type': f'{kind}\n', f'{COOLING}{i}/cur_state': state})

    def throttling(self):
        """Find what tells throttling."""
        return throttling(str(self.folder), lambda: self.now)

    def temperature(self):
        """Find the temperature."""
        return temperature(str(self.folder), lambda: self.now)


@pytest.fixture
def board(tmp_path):
    """Give a board without anything."""
    return Board(tmp_path)


def test_nothing_tells(board):
    """No source is no source, also where files hold garbage or are folders."""
    assert board.throttling() is None and board.temperature() is None
    board.write({f'{INTEL}0/thermal_throttle/core_throttle_count': 'many\n', PI: '\n',
                 'sys/class/thermal/thermal_zone0/temp': '40°\n',
                 'sys/class/thermal/thermal_zone1/temp/x': '1'})
    board.cooling('cpufreq-cpu0', state='none\n')
    assert board.throttling() is None and board.temperature() is None


def test_hottest_sensor(board):
    """Sensors without power, impossible values and Jetson's fixed 100 degrees do not count."""
    zone = 'sys/class/thermal/thermal_zone'
    board.write({f'{zone}0/temp': '41500\n', f'{zone}0/type': 'CPU-therm\n',
                 f'{zone}1/temp': '100000\n', f'{zone}1/type': 'PMIC-Die\n',
                 f'{zone}2/temp': '-256000\n', f'{zone}3/temp': '',
                 'sys/class/hwmon/hwmon0/temp1_input': '52000\n',
                 'sys/class/hwmon/hwmon1/temp1_input': '255000\n'})
    found = board.temperature()
    assert found.read() == 52.0
    assert found.where.startswith('5 sensors in ')


def test_sensors_are_read_seldom(board):
    """The temperature is that of a few seconds ago, and unknown when the sensor has gone."""
    name = 'sys/class/hwmon/hwmon0/temp1_input'
    board.write({name: '50000'})
    found = board.temperature()
    board.write({name: '60000'})
    board.now = 1.0
    assert found.read() == 50.0
    board.now = 6.0
    assert found.read() == 60.0
    (board.folder / name).unlink()
    board.now = 12.0
    assert found.read() is None


def test_counts_of_intel(board):
    """A count that rises is throttling for a while, however high it is; others may not rise."""
    core, package = (f'{INTEL}{i}/thermal_throttle/{kind}_throttle_count'
                     for i, kind in ((0, 'core'), (1, 'package')))
    board.write({core: '41912\n', package: '67565\n'})
    found = board.throttling()
    assert found.read() is False
    board.write({package: '67566\n'})
    board.now = 10.0
    assert found.read() is True
    board.now = 14.0
    assert found.read() is True
    board.now = 16.0
    assert found.read() is False
    board.write({core: 'garbage', package: '67567'})
    assert found.read() is True
    (board.folder / package).unlink()
    board.now = 30.0
    assert found.read() is False
    board.write({core: '41913'})
    assert found.read() is True


@pytest.mark.parametrize('kind', [
    'Processor', 'intel_powerclamp', 'cpufreq-cpu0', 'thermal-cpufreq-0', 'thermal-devfreq-0',
    'devfreq-17000000.ga10b', 'gpu', 'gpu-balanced', 'cpu-throttle-alert'])
def test_cooling_by_slowing_down(board, kind):
    """Processors and GPUs that are cooled by being slowed down; -1 is not at all."""
    board.cooling('Fan', kind)
    found = board.throttling()
    assert found.read() is False
    board.cooling('Fan', kind, state='3\n')
    assert found.read() is True
    board.cooling('Fan', kind, state='-1\n')
    assert found.read() is False
    (board.folder / f'{COOLING}1/cur_state').unlink()
    assert found.read() is False


def test_fans_and_radios_slow_nothing_down(board):
    """What is no processor does not count."""
    board.cooling('Fan', 'pwm-fan', 'cpu-fan', 'iwlwifi_1', 'LCD', 'thermal_shutdown', state='2')
    assert board.throttling() is None


@pytest.mark.parametrize('bits, hot', [
    ('0', False), ('80008', True), ('e0006', True), ('60004', True), ('2', True),
    ('50005', False),  # voltage too low, and throttled because of that
    ('5000d', True),   # both
    ('f0000', False),  # all of it, but in the past
    ('0x8', True), ('what', False), ('', False)])
def test_bits_of_a_raspberry_pi(board, bits, hot):
    """Bits for now count, those of the past and of the power supply do not."""
    board.write({PI: '0\n'})
    found = board.throttling()
    board.write({PI: f'{bits}\n'})
    assert found.read() is hot
    assert found.where.endswith(PI)


def test_several_sources(board):
    """One that tells is enough, and all are watched."""
    count = f'{INTEL}0/thermal_throttle/core_throttle_count'
    board.write({count: '1'})
    board.cooling('Processor', state='1')
    found = board.throttling()
    board.write({count: '2'})
    assert found.read() is True
    board.cooling('Processor', state='0')
    board.now = 10.0
    assert found.read() is False
    assert 'core_throttle_count, ' in found.where
