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

"""Objects per second and the time spent waiting for data, by a clock that is told what to say."""

from types import SimpleNamespace

import pytest

pytest.importorskip('lightning', reason='the training side needs lightning')

from training.tasks import throughput  # noqa: E402, I100


def test_waiting_and_work_are_told_apart_and_the_first_step_is_left_out(monkeypatch, capsys):
    # epoch: waits 9, works 9 (left out); waits 1, works 3; new epoch 50 later: waits 1, works 5
    times = iter([0, 9, 18, 19, 22, 72, 73, 78])
    monkeypatch.setattr(throughput.time, 'perf_counter', lambda: next(times))
    trainer, batch = SimpleNamespace(world_size=2), {'labels': [0] * 15}
    watch = throughput.Throughput()
    for steps in (2, 1):
        watch.on_train_epoch_start(trainer, None)
        for index in range(steps):
            watch.on_train_batch_start(trainer, None, batch, index)
            watch.on_train_batch_end(trainer, None, None, batch, index)
    assert watch.objects == 60  # two steps of 15 in two processes
    assert watch.objects_per_second == pytest.approx(6)
    assert watch.waiting == pytest.approx(0.2)
    watch.on_train_end(trainer, None)
    said = capsys.readouterr().out
    assert said == '6.0 objects per second, 20.0 % of the time waiting for data\n'
