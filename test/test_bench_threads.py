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
"""The study of threads: every setting is run, and nothing is left running."""

import json

from foundry_ros import bench_threads
from foundry_ros.__main__ import main
from mock_bundle import make_bundle
import psutil


def test_study(tmp_path, monkeypatch, capsys):
    """Each number of cores taken and each setting has its times; the table tells the same."""
    monkeypatch.setattr(bench_threads, 'TAKEN', (0, 1))
    monkeypatch.setattr(bench_threads, 'PAUSE_S', 1e-4)
    bundle = make_bundle(tmp_path / 'mock')
    assert main(['bench', '--thread-study', '1', '--model', str(bundle)]) == 0
    out, table = capsys.readouterr()
    study = json.loads(out)['threads']
    assert set(study) == {'0', '1'}
    for taken, rows in study.items():
        assert set(rows) == {'1 thread', '2 threads share objects', *bench_threads.POOLS}
        for name, row in rows.items():
            assert set(row['ms']) == {'1 x 1', '1 x 16', '1 x 64', '8 x 1', '8 x 16', '8 x 64'}
            assert min(row['ms'].values()) > 0 and min(row['speedup'].values()) > 0
            assert name in table
        assert set(rows['1 thread']['speedup'].values()) == {1.0}
        assert f'others take {taken} cores' in table


def test_cores_are_given_back():
    """Processes that take cores end with what they are taken for, also when that fails."""
    before = set(psutil.Process().children())
    try:
        with bench_threads._burning(2):
            assert len(set(psutil.Process().children()) - before) == 2
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert set(psutil.Process().children()) <= before
