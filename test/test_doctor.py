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

"""The doctor: what the robot side costs, and what is missing or broken and what helps."""

from pathlib import Path
import re
import subprocess
import sys

from foundry_ros import bundle as bundles, footprint
from foundry_ros.__main__ import main
from foundry_ros.footprint import package_cost, PACKAGES
from mock_bundle import make_bundle
import numpy
import pytest


@pytest.fixture(autouse=True)
def shipped(tmp_path, monkeypatch):
    """Ship a mock bundle, and measure once."""
    make_bundle(tmp_path / 'mock')
    monkeypatch.setattr(bundles, 'models_folder', lambda: tmp_path)
    monkeypatch.setattr(footprint, 'ROUNDS', 1)
    return tmp_path


def test_a_fit_machine(capsys):
    """Each package has version, size and time; the pipeline has a size in memory."""
    assert main(['doctor']) == 0
    text = capsys.readouterr().out
    rows = {name: re.search(rf'^  {name} +(\S+) +([\d.]+) +(\d+)$', text, re.M)
            for name in PACKAGES}
    assert rows['numpy'][1] == numpy.__version__
    assert all(float(row[2]) > 0 for row in rows.values()), text
    total = float(re.search(r'all of it +([\d.]+)', text)[1])
    assert total >= sum(float(row[2]) for row in rows.values()) - 0.5
    assert int(re.search(r'memory +(\d+) MB resident', text)[1]) > 20
    assert re.search(r'^  CPU load .*psutil: \d+ of \d+ cores', text, re.M)
    for name in ('GPU load', 'temperature', 'throttling'):
        assert re.search(rf'^  {name} +\S', text, re.M)
    assert re.search(r'cost +\d+ us .* a reading, [\d.]+ % of a core when asked 30 times', text)
    assert 'CPUExecutionProvider' in text and 'ms an object by tokens' in text


def test_a_damaged_bundle(shipped, capsys):
    """What is wrong with a bundle is said."""
    (shipped / 'mock' / 'model.onnx').unlink()
    assert main(['doctor']) == 1
    assert 'model.onnx is missing' in capsys.readouterr().out


def test_a_bare_python():
    """Without a single package it still runs, and names the command for each."""
    done = subprocess.run([sys.executable, '-S', '-m', 'foundry_ros', 'doctor'],
                          capture_output=True, text=True, timeout=120, check=False,
                          cwd=Path(__file__).parent.parent)
    assert done.returncode == 1 and done.stderr == ''
    for name in PACKAGES:
        assert re.search(rf'{name} +MISSING: .*python.* -m pip install {name}\n', done.stdout)
    assert 'not tried' in done.stdout


def test_a_broken_package(tmp_path, monkeypatch, capsys):
    """A package that does not import is told with its reason and what helps; no more is tried."""
    (tmp_path / 'yaml.py').write_text('raise ImportError("libyaml is\\n\\nelsewhere")')
    monkeypatch.syspath_prepend(tmp_path)
    cost = package_cost('PyYAML')
    assert cost.import_ms is None
    assert re.search('BROKEN: .*elsewhere.*pip install --force-reinstall PyYAML', cost.trouble)
    assert main(['doctor']) == 1
    assert 'not tried' in capsys.readouterr().out


def test_two_builds_of_onnxruntime(monkeypatch):
    """They overwrite each other's files: never both."""
    real = footprint.version
    monkeypatch.setattr(footprint, 'version',
                        lambda name: '1.0' if name == 'onnxruntime-gpu' else real(name))
    assert 'uninstall both' in package_cost('onnxruntime').trouble


def test_size_without_a_list_of_files(monkeypatch):
    """Packages of the system carry no such list: the folder of the module counts."""
    listed = package_cost('PyYAML').size
    monkeypatch.setattr(footprint.metadata.Distribution, 'read_text', lambda *_: None)
    monkeypatch.setattr(footprint.metadata.PathDistribution, 'read_text', lambda *_: None)
    monkeypatch.setattr(footprint, 'version', lambda name: '1')
    found = footprint._size('PyYAML', 'yaml')
    assert found and 0.5 * listed < found < 2 * listed


def test_what_packages_bring_along():
    """The needs of needs are found, those of extras and the package itself are not."""
    along = footprint.brought_along(['hypothesis'])
    assert 'sortedcontainers' in along
    assert 'hypothesis' not in along and 'pytest' not in along
