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


"""The networks that the student is timed against: written, run, and as costly as published."""

import onnx
import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

from foundry_ros import bench_network  # noqa: E402, I100
from foundry_ros.bundle import load_bundle  # noqa: E402
from mock_bundle import make_bundle  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from training import config as configuration  # noqa: E402
from training.config import RunError  # noqa: E402
from training.models.pointnet2 import PointNet2  # noqa: E402
from training.models.tokenizer import Tokenizer  # noqa: E402
from training.tasks import baselines  # noqa: E402

CONFIG = 'training/configs/paper/baselines.yaml'
TINY = ['model={width: 16, depth: 2, heads: 2, first: [8, 8], second: [16, 16]}',
        'heads={classes: 4, parts: 5}']


def gmacs(model, *inputs):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(*inputs)
    return counter.get_total_flops() / 2e9


def test_they_are_written_and_run_beside_a_bundle(tmp_path, capsys):
    config = configuration.load(CONFIG, [*TINY, f'output={tmp_path / "baselines"}'])
    baselines.run(config)
    printed = capsys.readouterr().out
    assert 'for the teacher as onnxruntime' in printed
    told = [line for line in printed.splitlines() if 'onnx - torch at most' in line]
    assert len(told) == 8 and all(line.endswith('opset 17') for line in told)  # int8 among them
    bundle = load_bundle(make_bundle(tmp_path / 'bundle'))
    rows = bench_network.run(tmp_path / 'baselines', [bundle], 3, batches=(2,), threads=(1,))['1']
    assert {'teacher', 'teacher_exact', 'teacher_exact_int8', 'foundry_16', 'foundry_1', 'tome_16',
            'pitome_16', 'pointnet2', 'mock float32 1'} <= set(rows)
    assert rows['pointnet2']['title'] == 'PointNet++ (SSG, classes alone)'
    exact = onnx.load(str(tmp_path / 'baselines/teacher_exact_int8.onnx'))
    assert {t.data_type for t in exact.graph.initializer} >= {onnx.TensorProto.INT8}


def test_a_graph_that_says_something_else_is_refused(tmp_path):
    torch.manual_seed(0)
    model, other = (PointNet2(4).eval().requires_grad_(False) for _ in range(2))
    baselines.write(model, tmp_path / 'model.onnx', 'PointNet++')
    assert baselines.checked(model, tmp_path / 'model.onnx') < 1e-3
    with pytest.raises(RunError, match='model.onnx differs from the model by'):
        baselines.checked(other, tmp_path / 'model.onnx')


def test_the_published_tokenizer_costs_what_the_paper_says():
    tokenizer = baselines.PublishedTokenizer(Tokenizer((128, 256), (512, 384), 384))
    assert gmacs(tokenizer, torch.zeros(1, 64, 32, 3)) == pytest.approx(1.007, rel=0.01)


def test_pointnet_costs_what_is_known_of_it():
    inputs = [torch.zeros(2, *shape) for shape in PointNet2.inputs.values()]
    assert gmacs(PointNet2(40), *inputs) / 2 == pytest.approx(0.8, abs=0.15)
