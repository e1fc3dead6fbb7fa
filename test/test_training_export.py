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

"""Exports say what the model says: empty supertokens, ties of the gate, every budget."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training import export  # noqa: E402, I100
from training.config import RunError  # noqa: E402
from training.models.backbone import Size  # noqa: E402
from training.models.foundry import Foundry  # noqa: E402
from training.models.student import MENU, Student  # noqa: E402
from training.tasks.finetune import Recogniser  # noqa: E402

SMALL = Size(width=16, depth=1, heads=2, first=(8, 8), second=(16,), drop_path=0.0, dropout=0.0)


def samples(alike: bool):
    rng = np.random.default_rng(0)
    groups = (rng.normal(size=(3, 64, 32, 3)) * 0.1).astype(np.float32)
    centers = (rng.normal(size=(3, 64, 3)) * 0.4).astype(np.float32)
    if alike:  # all tokens alike: all go to one supertoken, and the gate ties
        groups[:] = groups[:, :1]
    return groups, centers


def exported(kind, path):
    torch.manual_seed(0)
    student = Foundry(SMALL, 16) if kind == 'published' else Student(
        SMALL, 16, positions=kind == 'positions')
    torch.nn.init.normal_(student.supertokens.supertokens)
    model = Recogniser(student, 16, 3, 4).eval()
    export.write_onnx(model, path)
    return model


@pytest.fixture(scope='module', params=['hard', 'positions', 'published'])
def pair(request, tmp_path_factory):
    path = tmp_path_factory.mktemp('export') / 'model.onnx'
    return exported(request.param, path), path


@pytest.mark.parametrize('alike', [False, True])
def test_the_graph_gives_what_the_model_gives_at_every_budget(pair, alike):
    found = export.largest_differences(*pair, *samples(alike))
    assert tuple(found) == MENU
    assert all(difference < 1e-4 for difference in found.values())  # NaN is not


def test_the_operator_set_is_read_from_the_graph(pair):
    assert export.opset_of(pair[1]) == export.OPSET


def test_an_export_that_differs_is_refused(pair, capsys):
    model, path = pair
    groups, centers = samples(False)
    export.validate(model, path, groups, centers)
    assert capsys.readouterr().out.count('CPU, budget') == len(MENU)
    with torch.no_grad():
        before = model.class_head[-1].bias.clone()
        model.class_head[-1].bias += 0.1
    with pytest.raises(RunError, match='differs from the model at budget 1'):
        export.validate(model, path, groups, centers)
    with torch.no_grad():
        model.class_head[-1].bias.copy_(before)


def test_a_provider_that_cannot_be_used_is_no_silent_fallback(pair, monkeypatch):
    monkeypatch.setattr(export.onnxruntime, 'get_available_providers',
                        lambda: ['CPUExecutionProvider', 'CUDAExecutionProvider'])
    with pytest.raises(RunError, match='offers CUDAExecutionProvider but cannot use it'):
        export.validate(*pair, *samples(False))
