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
"""What following is worth: counted as it is defined."""

from foundry_ros import bench_tracks
from foundry_ros.bundle import load_bundle
from foundry_ros.student import Student
from mock_bundle import make_bundle
import pytest


def test_counting():
    """Two things over three clouds: a name that changes, an id that changes."""
    rows = [(1, 0, 'cup', '1', 'cup', 'cup', 0.9), (1, 1, 'box', '2', 'unknown', 'can', 0.5),
            (1, 0, 'cup', '1', 'can', 'can', 0.8), (1, 1, 'box', '3', 'box', 'box', 0.95),
            (1, 0, 'cup', '1', 'cup', 'cup', 0.85), (1, 1, 'box', '3', 'box', 'box', 0.7)]
    told = bench_tracks._summary(rows)
    assert told['right'] == pytest.approx(4 / 6) and told['wrong'] == pytest.approx(1 / 6)
    assert told['flips'] == pytest.approx(50) and told['switches'] == pytest.approx(100 / 6)
    assert told['right_at'] == {'0.03': 0.5, '0.05': 0.5, '0.08': 0.5}


def test_a_scene(tmp_path, monkeypatch):
    """Followed, things keep their ids; alone they are counted anew, and looked at more often."""
    monkeypatch.setattr(bench_tracks, 'CLOUDS', 8)
    student = Student(load_bundle(make_bundle(tmp_path / 'b', winner=3)), threads=1)
    result = bench_tracks.run(1, student)
    alone, followed = result['each cloud alone'], result['followed']
    assert followed['things'] > 30 and followed['switches'] < alone['switches']
    assert followed['looks'] < alone['looks']
    assert 'followed' in bench_tracks.format_table(result)
