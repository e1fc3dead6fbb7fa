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

"""
Upsets the node, as a process, in every way that users meet; prints what became of it.

``make upset``, or ``PYTHONPATH=. .venv/bin/python test/upset_node.py``. After each case it has to
answer good input within two seconds, hold no more than before, and have no traceback in its log.
"""

import argparse
from contextlib import contextmanager
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile

from ros_process import in_ros

ANSWER_S, GROWTH_MB, SETTLE_S = 2.0, 15, 10
RESPAWNED = 'killed, respawned'


@contextmanager
def small_disk(folder: Path):
    """Give a folder on a disk of a few megabytes, or None where none may be mounted."""
    folder.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'none', folder],
                      capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(['umount', '-l', folder], check=True)


def attempt(name, case, upset) -> bool:
    """Do one case and print its line; tell whether it passed."""
    upset.run(3 / upset.scale, lambda: upset.peer.send(upset.table))
    before, said, reason, taken = upset.node.usage(), upset.node.said(), '', float('nan')
    note = None
    try:
        note = case(upset)
        taken = upset.peer.good()
        if taken > ANSWER_S:
            reason = 'late'
    except AssertionError as error:
        reason = ' '.join(str(error).split())[:300] or 'not as it should be'
    after = settled(upset, before) if upset.node.runs() else before
    if not reason and after.megabytes - before.megabytes > GROWTH_MB:
        reason = 'memory grew'
    if not reason and after.handles > before.handles:
        reason = 'files stay open'
    if 'Traceback' in upset.node.said()[len(said):]:
        reason = 'traceback in the log'
    print(f'{name:20} {taken:10.2f} {before.megabytes:10.0f} {after.megabytes:6.0f} '
          f'{before.handles:8} {after.handles:4}   {reason or note or "passed"}', flush=True)
    return not reason


def settled(upset, before):
    """Give what the node holds when it has come to rest."""
    def rest():
        usage = upset.node.usage()
        return (usage if usage.megabytes - before.megabytes < GROWTH_MB
                and usage.handles <= before.handles else None)
    for _ in range(SETTLE_S):
        if rest():
            break
        upset.run(1 / upset.scale, lambda: upset.peer.send(upset.table))
    return upset.node.usage()


def upset_all(names) -> int:
    """Do the cases of these names, all where there are none; give the number that failed."""
    from foundry_ros.student import default_bundle
    from live_node import LiveNode, Peer
    from mock_bundle import make_bundle
    from upset_bench import Upset
    from upset_cases import CASES
    print('case                 answers in [s]  memory [MB]: before after  handles', flush=True)
    failed = 0
    with tempfile.TemporaryDirectory() as name, small_disk(Path(name) / 'disk') as disk:
        home = Path(name)
        bundle = Path(shutil.copytree(default_bundle(), home / 'bundle'))
        spare = make_bundle(home / 'spare')
        with LiveNode(home, disk, model__path=bundle) as node, Peer() as peer:
            upset = Upset(node, peer, bundle, spare)
            peer.bring_up()
            upset.run(10, lambda: peer.send(upset.table))
            first = node.usage()
            for name in names or CASES:
                if name == RESPAWNED:
                    continue
                if name == 'disk full' and disk is None:
                    print(f'{name:20} left out: needs the right to mount')
                    continue
                failed += not attempt(name, CASES[name], upset)
            last = node.usage()
        if not names or RESPAWNED in names:
            failed += not relaunched(home / 'launched', bundle)
    print(f'memory {first.megabytes:.0f} MB before all cases, {last.megabytes:.0f} after; handles '
          f'{first.handles} and {last.handles}; {failed} cases failed')
    return failed


def relaunched(folder, bundle) -> bool:
    """Do the one case in which the node is started by its launch file."""
    from launched_node import LaunchedNode
    from live_node import Peer
    from upset_bench import Upset
    from upset_cases import respawned
    folder.mkdir()
    with LaunchedNode(folder, bundle) as node, Peer() as peer:
        peer.wait(peer.connected, 'the launched node')
        peer.good()
        return attempt(RESPAWNED, respawned, Upset(node, peer, bundle, bundle))


def main() -> int:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    options.add_argument('cases', nargs='*', help='names of cases (all)')
    return int(upset_all(options.parse_args().cases) > 0)


if __name__ == '__main__':
    sys.exit(in_ros(main))
