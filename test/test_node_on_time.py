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

"""The proof that the node is on time: what it counts, and that it plays to the real node."""

from foundry_ros.nodes import on_time
from foundry_ros.nodes.rehearsal import as_message, Rehearsal, RehearsalError, Shot
from mock_bundle import CLASSES, make_bundle
import psutil
import pytest
from table_scene import BOXES, table_cloud


def thing(name, x, points=1000):
    """Give a true object."""
    return {'class': name, 'center': [x, 0, 1], 'size': [0.1, 0.2, 0.1], 'points': points}


def test_clouds_are_counted():
    """One on time, one late, one never answered; two things, of which one is named."""
    truth = [[thing('cup', 0.0), thing('can', 1.0), thing('box', 2.0, points=10)]]
    found = [('cup', (0.02, 0, 1)), ('box', (0.95, 0, 1)), ('vase', (5, 0, 1))]
    shots = [Shot(0, 1, 40.0, found), Shot(0, 2, 140.0, found[:1]), Shot(0, 3)]
    row = on_time.summary(shots, [8, 16], 100.0, truth)
    assert row['on_time'] == pytest.approx(1 / 3) and row['answered'] == pytest.approx(2 / 3)
    assert row['age_p50'] == 90 and row['tokens'] == 12
    assert row['right'] == pytest.approx(2 / 4) and row['wrong'] == pytest.approx(1 / 4)
    nothing = on_time.summary([Shot(0, 1)], [], 100.0, truth)
    assert nothing['on_time'] == 0 and nothing['age_p50'] is None and nothing['right'] == 0


def test_verdict():
    """Where a fixed budget could be on time, it is told whether the controller was."""
    def row(load, budget, share, right=0.5):
        return {'play': 'x', 'load': load, 'budget': budget, 'on_time': share, 'right': right}
    said = on_time.verdict([row(0, 0, 0.99), row(0, 64, 0.9), row(0, 1, 0.97),
                            row(100, 0, 0.9), row(100, 64, 0.1), row(100, 1, 0.96),
                            row(200, 0, 0.96), row(200, 64, 0.1), row(200, 1, 0.2)])
    assert 'some fixed budget in 2 of 3 cases, the controller in 2 (1 of these 2)' in said
    assert 'controller 50.0%; fixed 64 50.0%' in said


def test_load_is_made():
    """A burner of 100 per cent is a process that computes, and it ends."""
    with on_time.Burners(150) as burners:
        ids = [process.pid for process in burners._processes]
        assert len(ids) == 2 and all(psutil.pid_exists(i) for i in ids)
        busy = psutil.Process(ids[0])
        while busy.cpu_times().user < 0.2:
            assert busy.is_running()
    assert not any(psutil.pid_exists(i) for i in ids)


def test_it_plays_to_the_real_node(tmp_path):
    """Clouds to and fro to the node's own process; answers come back with names and ages."""
    bundle = make_bundle(tmp_path / 'b', winner=CLASSES.index('cup'))
    messages = [as_message(table_cloud(0.01 * i)) for i in range(3)]
    with Rehearsal(['-p', f'model.path:={bundle}', '-p', 'model.threads:=1']) as rehearsal:
        rehearsal.set_parameter('token_budget', 4)
        shots = rehearsal.play(messages, rate=5.0, seconds=2.0)
        answered = [shot for shot in shots if shot.age_ms is not None]
        assert answered and set(rehearsal.tokens) == {4}
        assert [name for name, _ in answered[-1].detections] == ['cup'] * len(BOXES)
        assert all(0 < shot.age_ms < 60000 for shot in answered)
        with pytest.raises(RehearsalError, match='token_budget'):
            rehearsal.set_parameter('token_budget', 5)
    assert rehearsal._node.poll() is not None
