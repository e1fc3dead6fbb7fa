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

"""Frames that are timed: stages that add up, scenes that grow, a profile that names the work."""

from foundry_ros import bench_frames, bench_growth, bench_profile, config
from foundry_ros.bundle import load_bundle
from foundry_ros.student import Student
from mock_bundle import make_bundle
import numpy as np
import pytest


@pytest.fixture(scope='module')
def student(tmp_path_factory):
    """Give a student with random weights."""
    return Student(load_bundle(make_bundle(tmp_path_factory.mktemp('bundle'))), threads=1)


def small_table(objects, seed=0):
    """Look at boxes with a camera of few pixels."""
    return bench_growth.table(objects, bench_growth.camera(1 << 15), seed)


def test_the_stages_of_a_frame_add_up(student):
    """From bytes to messages, at three budgets; nothing is counted twice."""
    result = bench_frames.run([small_table(4, i) for i in range(2)], student, config.Params())
    assert list(result['latency_ms']) == ['1', '16', '64']
    assert result['clouds'] == 2 and result['objects'] == 4
    process = bench_frames.Timed(student, config.Params(), 16)
    _, ms = process(bench_frames.message(small_table(4)))
    assert set(bench_frames.STAGES) <= set(ms) and ms['rest'] > 0
    assert sum(ms[s] for s in bench_frames.STAGES[:-1]) == pytest.approx(ms['total'])
    assert result['latency_ms']['16']['p95'] >= result['latency_ms']['16']['total']
    assert 'decode' in bench_frames.format_table(result)


def test_a_message_is_the_cloud():
    """What is decoded from it are the same points."""
    cloud = small_table(2)
    decoded = bench_frames.from_message(bench_frames.message(cloud))
    np.testing.assert_array_equal(decoded.xyz, cloud.xyz)
    assert (decoded.height, decoded.width, decoded.stamp) == (
        cloud.height, cloud.width, cloud.stamp)


@pytest.mark.parametrize('points', [1 << 14, 640 * 480, 1 << 20])
def test_cameras_have_the_pixels_that_were_asked_for(points):
    """About, with the same field of view."""
    camera = bench_growth.camera(points)
    assert camera.width * camera.height == pytest.approx(points, rel=0.01)
    assert camera.width / camera.fx == pytest.approx(640 / 525, rel=0.01)


def test_growth_has_a_row_for_each_size(student, monkeypatch):
    """All boxes are found where there are enough points."""
    monkeypatch.setattr(bench_growth, 'OBJECTS', (1, 4))
    monkeypatch.setattr(bench_growth, 'EXPONENTS', (15,))
    result = bench_growth.run(student, config.Params(), 1)
    assert {n: row['found'] for n, row in result['objects'].items()} == {'1': 1, '4': 4}
    assert list(result['points']) == ['32768'] and result['points']['32768']['total'] > 0
    assert 'found' in bench_growth.format_table(result)


def test_a_profile_names_functions_and_nodes(student):
    """The pipeline's own functions, and the nodes of the graph at each budget."""
    result = bench_profile.run([small_table(4)], student, config.Params())
    assert any('.py:' in row['where'] for row in result['frame'])
    owns = [row['own_ms'] for row in result['frame']]
    assert owns == sorted(owns, reverse=True) and len(owns) == bench_profile.FUNCTIONS
    case = result['model']['8 x 16']
    assert case['ms'] == pytest.approx(sum(case['operators'].values()), abs=1e-2)
    assert 'MatMul' in case['operators']
    assert 'nodes' in bench_profile.format_table(result)
