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

"""What results say of where they come from."""

import subprocess

import pytest
from training import provenance


def answering(monkeypatch, answers):
    """Have programs answer: name -> what it prints, None where it fails."""
    def run(command, **_):
        if command[0] not in answers:
            raise FileNotFoundError(command[0])
        said = answers[command[0]]
        return subprocess.CompletedProcess(command, said is None, said or '', '')
    monkeypatch.setattr(subprocess, 'run', run)


def test_a_copy_without_history_is_told_its_commit(monkeypatch):
    answering(monkeypatch, {'git': None})
    monkeypatch.setenv('FOUNDRY_COMMIT', 'abc')
    assert provenance.commit() == 'abc'
    monkeypatch.delenv('FOUNDRY_COMMIT')
    assert provenance.commit() == ''
    answering(monkeypatch, {})  # nor is there any git
    assert provenance.commit() == ''
    answering(monkeypatch, {'git': 'def'})
    assert provenance.commit() == 'def+'  # what git says comes first


TRAINER = {'accelerator': 'cpu', 'precision': 'bf16-mixed'}


def test_a_run_that_goes_on_counts_all_its_seconds(tmp_path):
    origin = pytest.importorskip('training.tasks.origin', reason='the training side needs torch')
    first, second = (origin.Origin(TRAINER, origin.Throughput()) for _ in range(2))
    first.load_state_dict({'seconds': 1000.0})
    second.load_state_dict(first.state_dict())
    assert 1000 <= second.state_dict()['seconds'] < 2000
    assert origin.origin_of(tmp_path / 'none.ckpt') == {}


def test_a_checkpoint_keeps_how_fast_it_was_trained_and_by_which_commit(monkeypatch):
    origin = pytest.importorskip('training.tasks.origin', reason='the training side needs torch')
    throughput = origin.Throughput()
    answering(monkeypatch, {'git': 'abc'})
    kept = origin.Origin(TRAINER, throughput)
    answering(monkeypatch, {'git': 'def'})  # another one is checked out meanwhile
    throughput.objects, throughput.waited, throughput.busy = 300, 1.0, 3.0
    found = kept.state_dict()
    assert (found['commit'], found['precision']) == ('abc+', 'bf16-mixed')
    assert (found['objects_per_second'], found['waiting']) == (75.0, 0.25)


def test_a_gpu_is_named_where_there_is_one(monkeypatch):
    answering(monkeypatch, {'nvidia-smi': 'A GPU\nAnother\n'})
    assert provenance.machine('auto')['gpu'] == 'A GPU'
    assert 'gpu' not in provenance.machine()  # what ran on the CPU
    for answers in ({}, {'nvidia-smi': None}):
        answering(monkeypatch, answers)
        found = provenance.machine('auto')
        assert 'gpu' not in found and found['cores'] > 0
