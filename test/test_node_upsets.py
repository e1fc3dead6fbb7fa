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

"""The node as a process, upset over the middleware; the whole of it is ``make upset``."""

from live_node import LiveNode, Peer
from mock_bundle import make_bundle
import pytest
from upset_bench import Upset
from upset_cases import CASES, huge
from upset_node import ANSWER_S, GROWTH_MB, settled


@pytest.fixture(scope='module')
def upset(tmp_path_factory):
    """Give a node at work; cases take a fifth of their time."""
    home = tmp_path_factory.mktemp('home')
    bundle, spare = make_bundle(home / 'bundle', winner=3), make_bundle(home / 'spare')
    with LiveNode(home, model__path=bundle, model__threads=1) as node, Peer() as peer:
        peer.bring_up()
        yield Upset(node, peer, bundle, spare, scale=0.2)


@pytest.mark.parametrize('name', [
    'publisher dies', 'other QoS', 'two publishers', 'clock goes back', '100 Hz', 'bad clouds',
    'parameters at 50 Hz', 'bundle changes', 'killed with -9'])
def test_upset(upset, name):
    """It answers rightly and soon, holds no more files, and told of no defect."""
    said, before = upset.node.said(), upset.node.usage()
    CASES[name](upset)
    assert upset.peer.good() < ANSWER_S
    assert upset.node.usage().handles <= before.handles
    assert 'Traceback' not in upset.node.said()[len(said):]


def test_a_large_cloud_is_forgotten(upset):
    """Of a cloud of a million points nothing is kept."""
    upset.peer.good()
    before = upset.node.usage()
    huge(upset, edge=1500)
    assert upset.peer.good() < ANSWER_S
    assert settled(upset, before).megabytes - before.megabytes < GROWTH_MB
