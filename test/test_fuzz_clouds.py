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

"""Spoilt clouds are read right or refused, and the comparison that says so notices mistakes."""

from types import SimpleNamespace

from cloud_messages import field, grid, message
from foundry_ros.cloud import CloudError
from foundry_ros.config import Params
from foundry_ros.pipeline import Pipeline
from foundry_ros.student import load_bundle, Student
import fuzz_clouds
from fuzz_clouds import Finding, Fuzzer, read
from mock_bundle import make_bundle
import numpy as np
import pytest


@pytest.fixture(scope='module')
def pipeline(tmp_path_factory):
    """Give a pipeline with a student of random weights."""
    bundle = load_bundle(make_bundle(tmp_path_factory.mktemp('mock')))
    return Pipeline(Params(), Student(bundle, threads=1))


def test_spoilt_clouds(pipeline):
    """Of many kinds of damage, some is read, some refused, none leads to anything else."""
    fuzzer = Fuzzer(pipeline)
    for i in range(300):
        fuzzer.run(f'test/{i}')
    for i in range(4):
        fuzzer.run(f'test/scene/{i}', scene=True)
    assert not fuzzer.findings, fuzzer.report()
    assert 60 < fuzzer.outcomes['read'] < 240
    assert len(fuzzer.outcomes) > 8


@pytest.mark.parametrize('mistake', [
    {'xyz': np.zeros((12, 3), np.float32)}, {'xyz': np.zeros((11, 3), np.float32)},
    {'height': 4}, {'frame_id': 'map'}, {'stamp': 0}, {'rgb': np.zeros((12, 3), np.uint8)}])
def test_wrong_results_are_noticed(mistake, monkeypatch):
    """Other points, another shape, frame, time or colour: each is a finding."""
    msg = message(grid())
    cloud = vars(read(msg))
    monkeypatch.setattr(fuzz_clouds, 'from_message',
                        lambda _: SimpleNamespace(**{**cloud, **mistake}))
    with pytest.raises(Finding):
        read(msg)


def test_wrong_answers_are_noticed(monkeypatch):
    """So is a message that is read though it must not be, and one refused without need."""
    cloud, bad = read(message(grid())), message(grid(), fields=[field('x', 0)])
    with pytest.raises(CloudError):
        read(bad)
    monkeypatch.setattr(fuzz_clouds, 'from_message', lambda _: cloud)
    with pytest.raises(Finding, match='contradicts'):
        read(bad)

    def refuse(_):
        raise CloudError('not today')
    monkeypatch.setattr(fuzz_clouds, 'from_message', refuse)
    with pytest.raises(Finding, match='without need'):
        read(message(grid()))
