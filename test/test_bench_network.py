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

"""The student beside other networks: who is timed, what the ratios are of, what is refused."""

import json

from foundry_ros import bench_network, tokens
from foundry_ros.__main__ import main
from foundry_ros.bundle import BundleError, load_bundle
from mock_bundle import make_bundle, make_model
import numpy as np
import onnx
import pytest


def drop_budget(model):
    """Make a network that reads groups and centres alone, as the teacher does."""
    model.graph.input.pop()
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.array(64, np.int64), 'token_budget'))
    return model


@pytest.fixture
def folder(tmp_path):
    """Give a folder with a teacher, the same in 8 bits, and levels of groups."""
    for name in ('teacher', 'teacher_exact_int8'):
        model = drop_budget(make_model())
        onnx.helper.set_model_props(model, {'title': f'{name}, as published'})
        onnx.save(model, str(tmp_path / f'{name}.onnx'))
    return tmp_path


def test_all_are_timed_and_ratios_are_to_the_teacher(folder, tmp_path):
    """Each has its row in each batch; the teacher is once as fast as itself."""
    bundle = load_bundle(make_bundle(tmp_path / 'bundle', {'precision': 'int8'}))
    result = bench_network.run(folder, [bundle], 3, batches=(1, 2), threads=(1,))
    rows = result['1']
    assert set(rows) == {'teacher', 'teacher_exact_int8',
                         *(f'mock int8 {b}' for b in bundle.token_budgets)}
    for row in rows.values():
        assert list(row['batches']) == ['1', '2']
        assert all(v['ms'] > 0 and v['tokens_ms'] > 0 for v in row['batches'].values())
    own = rows['teacher']['batches']['1']
    assert own['ratio'] == own['with_tokens'] == 1
    assert rows['teacher_exact_int8']['batches']['2']['fair'] == 1
    table = bench_network.format_table(result)
    assert 'teacher, as published' in table and 'mock int8 at 16: at least' in table


def test_ratios_are_medians_over_rounds():
    """With tokens on both sides the ratio is of the sums."""
    times = [{'teacher': (10.0, 1.0), 'a': (t, 1.0)} for t in (1.0, 2.0, 5.0)]
    row = bench_network._row(times, 'a')
    assert row['ratio'] == 5 and row['with_tokens'] == pytest.approx(11 / 3, abs=1e-3)
    assert 'fair' not in row


def test_levels_are_groups_of_points_and_of_their_centres():
    """What PointNet++ reads: the members are centres of the first level."""
    points = bench_network.clouds(2)
    made = bench_network._levels(points)
    near = tokens.group(points, 512, 32)
    assert made['near_groups'].shape == (2, 512, 32, 3)
    centers = near.centers[0, made['far_members'][0].astype(int)]
    offsets = centers - made['far_groups'][0]
    np.testing.assert_allclose(offsets, np.broadcast_to(offsets[:, :1], offsets.shape), atol=1e-5)


def test_a_folder_without_a_teacher_is_refused(tmp_path):
    """One line says what writes it."""
    with pytest.raises(BundleError, match='python -m training baselines'):
        bench_network.run(tmp_path, [], 1)


def test_command(folder, tmp_path, monkeypatch, capsys):
    """The table goes to stderr, JSON to the file."""
    monkeypatch.setattr(bench_network, 'BATCHES', (1,))
    monkeypatch.setattr(bench_network, 'THREADS', (1,))
    bundle = make_bundle(tmp_path / 'bundle')
    written = tmp_path / 'speed' / 'found.json'
    assert main(['bench', '--network', str(folder), '--model', str(bundle), '--repeat', '3',
                 '--output', str(written)]) == 0
    assert 'mock float32, 1 tokens' in capsys.readouterr().err
    assert set(json.loads(written.read_text())) == {'machine', 'model', 'accuracy', 'networks'}
