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
"""The command line as people meet it: what comes out, and one line when something is wrong."""

from contextlib import contextmanager
import json
import os
import signal
import subprocess
import sys

from foundry_ros import bundle as bundles, recording, replay
from foundry_ros.__main__ import main
from foundry_ros.cloud import CloudError
from foundry_ros.output import OutputFolder
from foundry_ros.recording import Recording
from mock_bundle import make_bundle
import numpy as np
from PIL import Image
import pytest
from table_scene import BOXES, table_cloud

CUP = 3


class Clouds(Recording):
    """A recording in memory; what is no cloud is called or raised in its turn."""

    def __init__(self, *clouds):
        """Keep the clouds."""
        super().__init__('memory')
        self.clouds = clouds
        self.topic = '/points'

    def __len__(self):
        """Count them."""
        return len(self.clouds)

    def __iter__(self):
        """Give them in turn."""
        for cloud in self.clouds:
            if isinstance(cloud, Exception):
                raise cloud
            yield cloud() if callable(cloud) else cloud


@pytest.fixture(autouse=True)
def shipped(tmp_path_factory, monkeypatch):
    """Ship a bundle that takes everything for a cup, and run in an empty folder."""
    folder = tmp_path_factory.mktemp('models')
    make_bundle(folder / 'mock', winner=CUP)
    monkeypatch.setattr(bundles, 'models_folder', lambda: folder)
    monkeypatch.chdir(tmp_path_factory.mktemp('work'))
    return folder


@pytest.fixture
def play(monkeypatch):
    """Give a function that replays clouds from memory."""
    def run(*clouds, options=()):
        @contextmanager
        def opened(path, topic):
            yield Clouds(*clouds)
        monkeypatch.setattr(replay, 'open_recording', opened)
        quiet = [] if '--pictures' in options else ['--no-pictures']
        options = [option for option in options if option != '--pictures']
        return main(['replay', 'table.bag', *quiet, *options])
    return run


def clouds(count):
    """Give views of boxes that move."""
    return [table_cloud(0.01 * i, 10**9 + i * 10**8) for i in range(count)]


def one_line(capsys) -> str:
    """Give the only line of the error, which is no traceback."""
    text = capsys.readouterr().err
    assert text.count('\n') == 1 and text.startswith('foundry_ros: '), text
    return text


def content(folder='table_objects'):
    """Read a summary."""
    with open(os.path.join(folder, 'summary.json'), encoding='utf-8') as stream:
        return json.load(stream)


def test_replay_writes_what_it_found(play, capsys):
    """Summary, messages and masks, and a table that names the objects."""
    assert play(*clouds(3), options=['--masks', '--token-budget', '8']) == 0
    found = content()
    assert found['recording'] == 'table.bag' and found['topic'] == '/points'
    assert [f['token_budget'] for f in found['frames']] == [8, 8, 8]
    assert [len(f['objects']) for f in found['frames']] == [len(BOXES)] * 3
    assert os.path.getsize('table_objects/detections.mcap') > 1000
    masks = sorted(os.listdir('table_objects/masks'))
    assert masks == ['000000.npy', '000001.npy', '000002.npy']
    mask = np.load('table_objects/masks/000000.npy')
    counts = [int((mask == i).sum()) for i in range(len(BOXES))]
    assert counts == [o['points'] for o in found['frames'][0]['objects']]
    assert 'cup' in capsys.readouterr().out


def test_pictures(play):
    """Unless they are not wanted, each cloud has a picture, and one of its objects."""
    play(*clouds(1))
    assert not os.path.exists('table_objects/frames')
    assert play(*clouds(1), options=['--pictures']) == 0
    for name in ('000000.png', '000000_objects.png'):
        with Image.open(f'table_objects/frames/{name}') as picture:
            assert min(picture.size) > 100


def test_every_other_cloud(play):
    """``--every 2`` takes the first, the third and the fifth."""
    play(*clouds(5), options=['--every', '2'])
    assert [f['stamp'] for f in content()['frames']] == [10**9 + i * 10**8 for i in (0, 2, 4)]


def test_budgets(play, tmp_path):
    """All tokens unless told otherwise; the file; the option before the file; auto."""
    file = tmp_path / 'p.yaml'
    file.write_text('token_budget: 4\n')
    for options, budget in (([], 64), (['--params', str(file)], 4),
                            (['--params', str(file), '--token-budget', '2'], 2)):
        play(*clouds(1), options=options)
        assert content()['frames'][0]['token_budget'] == budget
    file.write_text('budget: {max: 16, target_latency_ms: 60000}\n')
    play(*clouds(2), options=['--params', str(file), '--token-budget', 'auto'])
    assert {f['token_budget'] for f in content()['frames']} == {16}


def test_bundle_with_a_shorter_menu(play, shipped, capsys):
    """All tokens are those that the bundle has; asking for more is told."""
    make_bundle(shipped / 'mock', {'token_budgets': [1, 16]})
    assert play(*clouds(1)) == 0
    assert content()['frames'][0]['token_budget'] == 16
    capsys.readouterr()
    assert play(*clouds(1), options=['--token-budget', '64']) == 1
    assert '64 is not in the menu of mock: 1, 16' in one_line(capsys)


def test_empty_clouds_are_counted(play):
    """A cloud without a finite point is a frame without objects."""
    empty = table_cloud()
    empty.xyz[:] = np.nan
    assert play(empty, *clouds(1), empty) == 0
    assert [len(f['objects']) for f in content()['frames']] == [0, len(BOXES), 0]


def test_clouds_out_of_range_are_told_once(play, capsys):
    """One line for the whole recording says which parameter cut everything off."""
    far, farther = clouds(2)
    far.xyz[:] += 50
    farther.xyz[:] += 60
    assert play(far, *clouds(1), farther) == 0
    text = one_line(capsys)
    assert '2 of 3 clouds' in text and 'crop.max_range = 3 m' in text
    assert ['notice' in frame for frame in content()['frames']] == [True, False, True]


def test_interrupt_keeps_what_is_whole(play, capsys):
    """Ctrl-C during the second of three clouds: two are written, and it says so."""
    first, second, third = clouds(3)

    def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        return second
    assert play(first, interrupted, third) == 130
    assert len(content()['frames']) == 2
    assert 'interrupted after 2 of 3 clouds' in one_line(capsys)
    assert sorted(os.listdir('table_objects')) == ['detections.mcap', 'summary.json']


def test_broken_cloud_leaves_nothing(play, capsys):
    """A recording that breaks off in the middle is an error, without half a result."""
    assert play(*clouds(1), CloudError('the cloud has no field x')) == 1
    assert 'no field x' in one_line(capsys)
    assert os.listdir('.') == []


def test_disk_full(play, capsys, monkeypatch):
    """The reason is told, and nothing stays."""
    def full(*_):
        raise OSError(28, 'No space left on device', 'masks/000000.npy')
    monkeypatch.setattr(OutputFolder, 'save_array', full)
    assert play(*clouds(1), options=['--masks']) == 1
    assert 'cannot write to table_objects: No space left on device' in one_line(capsys)
    assert os.listdir('.') == []


@pytest.mark.parametrize('arguments, said', [
    (['replay', 'nothing.bag'], 'nothing.bag'),
    (['replay', 'x', '--model', 'nowhere'], 'no model bundle at nowhere'),
    (['replay', 'x', '--params', 'p.yaml'], "did you mean 'crop.max_range'"),
    (['replay', 'x', '--params', 'absent.yaml'], 'cannot read the parameter file'),
])
def test_errors_are_one_line(arguments, said, capsys):
    """What is wrong and what to do, with a non-zero exit."""
    with open('p.yaml', 'w', encoding='utf-8') as stream:
        stream.write('crop: {max_rnage: 2.0}\n')
    assert main(arguments) == 1
    assert said in one_line(capsys)
    assert os.listdir('.') == ['p.yaml']


@pytest.mark.parametrize('arguments, said', [
    (['models', '--nonsense'], '--nonsense; see python -m foundry_ros models --help'),
    (['replay', 'x', '--token-budget', '7'], "auto or one of 1, 2, 4, 8, 16, 32, 64, not '7'"),
    (['replay', 'x', '--every', '0'], "a whole number from 1, not '0'; see"),
    (['replay'], 'required: RECORDING; see python -m foundry_ros replay --help'),
    (['dance'], 'replay'),
    ([], 'required: VERB; see python -m foundry_ros --help'),
])
def test_wrong_options_are_one_line(arguments, said, capsys):
    """They exit 2, as argparse does; the usage is for --help."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert said in one_line(capsys)


def test_output_that_cannot_be_written(play, capsys):
    """A file in the way is told before any work is done."""
    open('taken', 'w').close()
    assert play(*clouds(1), options=['--output', 'taken']) == 1
    assert 'cannot write to taken: it is a file; choose' in one_line(capsys)


def test_models(shipped, capsys):
    """The default path, the list, and a broken bundle."""
    assert main(['models', '--default']) == 0
    assert capsys.readouterr().out == f'{shipped / "mock"}\n'
    assert main(['models']) == 0
    assert 'yes, default' in capsys.readouterr().out
    (make_bundle(shipped / 'broken') / 'model.onnx').write_bytes(b'x')
    assert main(['models', str(shipped / 'broken'), str(shipped / 'mock')]) == 1
    listed = capsys.readouterr().out.splitlines()
    assert 'NOT USABLE' in listed[1] and 'sha256' in listed[1] and 'yes' in listed[2]


def test_stated_accuracy_is_listed(shipped, capsys):
    """The figures at the largest budget; what the manifest does not say is a dash."""
    stated = {'complete': {'accuracy': 0.8714}, 'part_miou': {'complete': {'miou_i': 0.615}}}
    make_bundle(shipped / 'mock', {'accuracy': {1: {}, 64: stated}})
    main(['models'])
    assert '87.1 %         -    61.5 %' in capsys.readouterr().out


def test_bench(capsys, monkeypatch):
    """JSON on stdout, or in a file; the table on stderr; every budget beside the largest."""
    monkeypatch.setattr(recording, 'open_recording', lambda *_: Clouds(*clouds(2)))
    options = ['bench', '--recording', 'x', '--repeat', '2', '--clouds', '1']
    assert main(options) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert set(result['student']['budgets']) == {'1', '2', '4', '8', '16', '32', '64'}
    assert result['student']['budgets']['64']['speedup_1'] == 1.0
    assert result['frame']['clouds'] == 1 and result['frame']['objects'] == len(BOXES)
    assert set(result['frame']['latency_ms']) == {'1', '16', '64'}
    assert 'segment' in printed.err
    assert main([*options, '--output', 'bench.json']) == 0
    assert capsys.readouterr().out == ''
    with open('bench.json', encoding='utf-8') as stream:
        assert json.load(stream).keys() == result.keys()


def test_no_traceback_from_the_shell():
    """The module runs as a program."""
    done = subprocess.run([sys.executable, '-m', 'foundry_ros', 'replay', 'nothing'],
                          capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    assert done.returncode == 1
    assert done.stderr.startswith('foundry_ros: ') and done.stderr.count('\n') == 1
