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

"""A run that is killed and goes on is the run that was not killed, bit for bit."""

import re
import signal

import pytest
import tiny_runs

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training.__main__ import main  # noqa: E402, I100
from training.tasks.checkpoints import WholeCheckpoints  # noqa: E402

KILLED = """
import os, signal, sys
from training.__main__ import main
from training.tasks.common import Task

go_on = Task.on_train_batch_start


def die(self, batch, index):
    if self.global_step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    go_on(self, batch, index)


Task.on_train_batch_start = die
main(sys.argv[1:])
"""


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def same(one, other):
    """Tell whether two states are equal, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_a_killed_run_that_goes_on_equals_one_that_was_not_killed(tmp_path, one_thread, capsys):
    tiny_runs.write_data(tmp_path)
    options = ['data.steps=3', 'trainer.epochs=4', 'trainer.log_every=1', 'model.dropout=0.2']
    asked = {name: tiny_runs.arguments('pretrain', tmp_path, tmp_path / name, *options)
             for name in ('killed', 'whole')}
    (tmp_path / 'killed.py').write_text(KILLED)
    killed = tiny_runs.start([str(tmp_path / 'killed.py'), *asked['killed']])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    checkpoint = tmp_path / 'killed/last.ckpt'
    assert torch.load(checkpoint, weights_only=True)['global_step'] == 6
    (tmp_path / 'killed/last.ckpt.part').write_bytes(b'half of it')
    assert main([*asked['killed'], '--resume']) == 0
    assert main(asked['whole']) == 0
    found, wanted = (torch.load(tmp_path / name / 'last.ckpt', weights_only=True)
                     for name in asked)
    assert found['global_step'] == wanted['global_step'] == 12 and found['epoch'] == 3
    for key in ('state_dict', 'optimizer_states', 'lr_schedulers'):
        assert same(found[key], wanted[key]), key
    assert tiny_runs.history(tmp_path / 'killed') == tiny_runs.history(tmp_path / 'whole')
    assert sorted(tiny_runs.history(tmp_path / 'killed')['loss']) == list(range(12))
    assert re.search(r'[\d.,]+ objects per second, [\d.]+ % of the time waiting for data',
                     capsys.readouterr().out)


def test_a_checkpoint_that_is_not_finished_never_takes_the_place_of_a_whole_one(tmp_path,
                                                                                monkeypatch):
    path = tmp_path / 'run' / 'last.ckpt'
    WholeCheckpoints().save_checkpoint({'global_step': 1}, path)

    def cut_short(content, file):
        file.write(b'half')
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, 'save', cut_short)
    with pytest.raises(KeyboardInterrupt):
        WholeCheckpoints().save_checkpoint({'global_step': 2}, path)
    assert torch.load(path, weights_only=True) == {'global_step': 1}


def test_a_new_run_in_an_old_folder_begins_its_record_anew(tmp_path, one_thread):
    tiny_runs.write_data(tmp_path)
    for epochs in (2, 1):
        assert main(tiny_runs.arguments('pretrain', tmp_path, tmp_path / 'run', 'data.steps=2',
                                        f'trainer.epochs={epochs}', 'trainer.log_every=1')) == 0
    assert sorted(tiny_runs.history(tmp_path / 'run')['loss']) == [0, 1]
