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

"""Exact algebra gives what the plain modules give; fewer bits nearly so, and are fewer bytes."""

import dataclasses

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('onnx', reason='the training side needs onnx')

from training import export, precision  # noqa: E402, I100
from training.models import exact  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.models.regions import RegionStudent  # noqa: E402
from training.models.student import MENU  # noqa: E402
from training.models.tokenizer import LeanTokenizer, Tokenizer  # noqa: E402
from training.models.transformer import Encoder  # noqa: E402
from training.operators import FusedEncoder  # noqa: E402
from training.tasks.finetune import Recogniser  # noqa: E402

SMALL = Size(width=48, depth=2, heads=4, first=[8, 16], second=[48], drop_path=0, dropout=0,
             tokenizer='lean')


def trained(module):
    """Give norms statistics and scales as training does, some of them negative."""
    torch.manual_seed(1)
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm1d):
            each.running_mean.normal_()
            each.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(each.weight)
            torch.nn.init.normal_(each.bias)
    return module.eval().requires_grad_(False)


def clouds(batch=3):
    rng = np.random.default_rng(0)
    return ((rng.normal(size=(batch, 64, 32, 3)) * 0.1).astype(np.float32),
            (rng.normal(size=(batch, 64, 3)) * 0.4).astype(np.float32))


@pytest.fixture(scope='module')
def recogniser():
    torch.manual_seed(0)
    return trained(Recogniser(RegionStudent(SMALL, 48, early=1), 48, 5, 4))


@pytest.fixture(scope='module')
def graph(recogniser, tmp_path_factory):
    path = tmp_path_factory.mktemp('exact') / 'model.onnx'
    export.write_onnx(recogniser, path)
    return path


@pytest.mark.parametrize('tokenizer', [
    Tokenizer((8, 16), (32, 24), 24), Tokenizer((8, 16), (32,), 24), Tokenizer((8, 16), (24,), 24),
    Tokenizer((8, 16), (32, 24), 20), LeanTokenizer((8, 16), (24,), 24),
    LeanTokenizer((8,), (24, 12), 24), LeanTokenizer((8, 16), (24,), 12, 20)])
def test_a_rewritten_tokenizer_is_the_plain_one_within_rounding(tokenizer):
    tokenizer, groups = trained(tokenizer), torch.tensor(clouds()[0])
    torch.testing.assert_close(exact.exact_tokenizer(tokenizer)(groups), tokenizer(groups),
                               atol=1e-5, rtol=1e-5)


def test_the_published_tokenizer_needs_three_fifths_of_the_operations():
    from torch.utils.flop_counter import FlopCounterMode
    groups, counts = torch.zeros(1, 64, 32, 3), []
    tokenizer = Tokenizer((128, 256), (512, 384), 384).eval()
    for each in (tokenizer, exact.exact_tokenizer(tokenizer)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            each(groups)
        counts.append(counter.get_total_flops())
    assert counts[1] == pytest.approx(1.23e9, rel=0.01) and counts[1] < 0.85 * counts[0]


@pytest.mark.parametrize('options', [
    {}, {'part': slice(2, None)}, {'part': slice(0)}, {'part': slice(2), 'norm': False},
    {'part': slice(2), 'norm': False, 'heard': 3}])
def test_a_fused_encoder_is_the_plain_one_within_rounding(options):
    torch.manual_seed(0)
    encoder = trained(Encoder(32, 3, 4))
    x, position = torch.randn(2, 5, 32), torch.randn(2, 5, 32)
    torch.testing.assert_close(FusedEncoder(encoder, 2)(x, position, **options),
                               encoder(x, position, **options), atol=1e-5, rtol=1e-5)


def test_a_graph_serves_any_number_of_groups(recogniser, graph):
    rng = np.random.default_rng(0)
    inputs = {'groups': rng.normal(size=(2, 200, 32, 3)).astype(np.float32) * 0.1,
              'centers': rng.normal(size=(2, 200, 3)).astype(np.float32),
              'token_budget': np.array(16)}
    session = onnxruntime.InferenceSession(str(graph), providers=['CPUExecutionProvider'])
    for got, wanted in zip(session.run(None, inputs),
                           export.outputs(recogniser, *inputs.values())):
        np.testing.assert_allclose(got, wanted, atol=1e-4)


@pytest.mark.parametrize('kind', ['int8', 'int8_static', 'float16'])
def test_fewer_bits_say_nearly_the_same_at_every_budget(recogniser, graph, kind, tmp_path):
    path = tmp_path / 'model.onnx'
    path.write_bytes(graph.read_bytes())
    groups, centers = clouds()
    precision.convert(path, kind, [{'groups': groups, 'centers': centers,
                                    'token_budget': np.array(b)} for b in MENU])
    found = export.largest_differences(recogniser, path, groups, centers)
    assert 0 < max(found.values()) < 0.2
    weights = {t.data_type for t in precision.onnx.load(str(path)).graph.initializer
               if len(t.dims) == 2}
    assert precision.onnx.TensorProto.DataType.Value(
        'FLOAT16' if kind == 'float16' else 'INT8') in weights


def test_regions_are_chosen_in_full_precision(graph):
    names = precision.delicate(precision.onnx.load(str(graph)).graph)
    assert any(name.endswith('ArgMin') for name in names)
    assert not any('encoder' in name or 'head' in name for name in names)


def test_an_unknown_precision_is_refused(graph):
    with pytest.raises(ValueError, match='precision is one of'):
        precision.convert(graph, 'int4')


def test_a_lean_encoder_may_be_narrower_than_what_its_tokens_are_made_in():
    torch.manual_seed(0)
    size = dataclasses.replace(SMALL, width=24, tokens=48)
    backbone = trained(Backbone(size))
    plain = backbone.embed(*map(torch.tensor, clouds()))
    assert plain[0].shape == plain[1].shape == (3, 64, 24)
    for got, wanted in zip(exact.rewritten(backbone).embed(*map(torch.tensor, clouds())), plain):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
