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

"""What a run leaves to the machine, and what the machine then says."""

import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

from training.tasks import numerics  # noqa: E402, I100

SECTION = {'accelerator': 'cpu', 'precision': 'auto', 'compile': 'auto', 'epochs': 3}


@pytest.mark.parametrize('able, precision, compiled', [
    ({'avx512_bf16': True}, 'bf16-mixed', True), ({'amx_bf16': True}, 'bf16-mixed', True),
    ({'avx2': True, 'avx512_bf16': False}, '32-true', False)])
def test_what_is_left_open_goes_by_the_instructions(monkeypatch, capsys, able, precision,
                                                    compiled):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: able)
    assert numerics.settle(SECTION) == {**SECTION, 'precision': precision, 'compile': compiled}
    assert precision in capsys.readouterr().out
    half = numerics.settle({**SECTION, 'precision': 'bf16-mixed'})
    assert half['precision'] == 'bf16-mixed' and half['compile'] == compiled


def test_what_is_said_stays(capsys):
    said = {**SECTION, 'precision': '32-true', 'compile': False}
    assert numerics.settle(said) == said and not capsys.readouterr().out


def test_on_a_gpu_short_runs_are_not_compiled(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: True)
    section = {**SECTION, 'accelerator': 'auto'}
    short, long = (numerics.settle(section, steps) for steps in (
        numerics.WORTH_COMPILING - 1, numerics.WORTH_COMPILING))
    assert short['precision'] == long['precision'] == 'bf16-mixed'
    assert not short['compile'] and long['compile']
    assert numerics.device_of('auto').type == 'cuda' and numerics.device_of('cpu').type == 'cpu'
