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

"""With SROS 2: the shipped policy lists what the node needs and no more, and keeps others out."""

import os
from pathlib import Path
import shutil
import subprocess
import sys
from xml.etree import ElementTree

from mock_bundle import make_bundle
import pytest
from ros_bench import Bench, NAME, PATIENCE_S
from security_peer import INPUT
from table_scene import BOXES

HERE = Path(__file__).resolve().parent
POLICY = HERE.parent / 'config' / 'sros2_policy.xml'
ENCLAVE = '/foundry_perception'
BARE = """<policy version="0.2.0"><enclaves><enclave path="/stranger"><profiles>
<profile ns="/" node="stranger"><topics publish="ALLOW"><topic>/rosout</topic>
<topic>/parameter_events</topic></topics><services reply="ALLOW"><service>~*</service></services>
</profile></profiles></enclave></enclaves></policy>"""


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Give a model that takes everything for a cup."""
    return make_bundle(tmp_path_factory.mktemp('bundle'), winner=3)


def listed(kind, qualifier):
    """Give the names of a kind in the policy, in full."""
    elements = ElementTree.parse(POLICY).iterfind(f'.//{kind}s[@{qualifier}="ALLOW"]/{kind}')
    return {element.text.replace('~', NAME) for element in elements}


def test_the_policy_lists_what_the_node_has(bundle):
    """Every topic and service of the node at work, with tf and simulated time, and no other."""
    with Bench(bundle, tracks__frame='odom', use_sim_time=True) as bench:
        bench.activate()

        def names(kind):
            ask = getattr(bench.peer, f'get_{kind}_names_and_types_by_node')
            return {name for name, _ in ask(NAME.strip('/'), '/')}

        def described():
            wanted = listed('service', 'reply')
            if not hasattr(bench.node, '_type_description_service'):
                wanted.remove(f'{NAME}/get_type_description')  # Humble
            return (names('publisher') == listed('topic', 'publish')
                    and names('service') == wanted
                    and names('subscriber') == listed('topic', 'subscribe') - {INPUT} | {
                        f'{NAME}/input'})
        bench.wait(described, 'a node that is as the policy says')


@pytest.fixture
def keystore(tmp_path, monkeypatch):
    """Make keys and permissions, and demand security of whatever starts from now on."""
    def security(*arguments):
        done = subprocess.run(['ros2', 'security', *arguments], cwd=tmp_path, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            pytest.skip(f'ros2 security does not work here: {done.stdout.splitlines()[-1]}')
    if shutil.which('ros2') is None:
        pytest.skip('this ROS 2 has no ros2 command')
    (tmp_path / 'bare.xml').write_text(BARE)
    security('create_keystore', 'keys')
    for enclave in (ENCLAVE, '/peer', '/stranger'):
        security('create_enclave', 'keys', enclave)
    security('create_permission', 'keys', ENCLAVE, str(POLICY))
    security('create_permission', 'keys', '/stranger', 'bare.xml')
    monkeypatch.setenv('ROS_SECURITY_KEYSTORE', str(tmp_path / 'keys'))
    monkeypatch.setenv('ROS_SECURITY_STRATEGY', 'Enforce')
    monkeypatch.setenv('ROS_SECURITY_ENABLE', 'true')


class Process:
    """A command at work; context manager."""

    def __init__(self, *command):
        """Start it; what it prints is read line by line."""
        path = os.pathsep.join([os.environ['PYTHONPATH'], str(HERE.parent)])
        self._process = subprocess.Popen(
            [sys.executable, *command], env={**os.environ, 'PYTHONPATH': path}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = ''

    def __enter__(self):
        """Give itself."""
        return self

    def __exit__(self, *error):
        """End it."""
        self.end()

    def read_until(self, text, times=1):
        """Read until it has said something so often, or has ended."""
        for line in self._process.stdout:
            self.said += line
            if self.said.count(text) >= times:
                return
        raise AssertionError(self.said)

    def end(self):
        """End it; give its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
            self.said += self._process.communicate(timeout=PATIENCE_S)[0]
        return self._process.returncode


def test_only_who_is_allowed_hears_and_is_heard(keystore, bundle, monkeypatch):
    """In Enforce mode the node works with its policy; without keys or permission nobody can."""
    peer = str(HERE / 'security_peer.py')
    with Process('-m', 'foundry_ros.nodes.start', '--autostart', '--ros-args',
                 '--enclave', ENCLAVE, '-p', f'model.path:={bundle}',
                 '-r', f'~/input:={INPUT}') as node:
        node.read_until('waiting for clouds')
        with Process(peer, 'stranger', '0', '--enclave', '/stranger') as stranger:
            with pytest.raises(AssertionError, match=f'(?i)failed to create.*{INPUT}'):
                stranger.read_until('ready')
        with monkeypatch.context() as without:
            without.setenv('ROS_SECURITY_ENABLE', 'false')
            intruder = Process(peer, 'intruder', '0')
        with intruder:
            intruder.read_until('ready')
            with Process(peer, 'peer', str(len(BOXES)), '--enclave', '/peer') as friend:
                friend.read_until('heard', times=10)
        assert 'heard' not in intruder.said
        assert friend.said.count('heard') == friend.said.count(f'heard {len(BOXES)}')
        assert node.end() == 0, node.said
        assert 'Traceback' not in node.said
