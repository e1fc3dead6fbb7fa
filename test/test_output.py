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
"""Results are seen whole or not at all."""

import json
import os

from foundry_ros.output import OutputError, OutputFolder, readable_json, write_file
import pytest


def test_nothing_is_seen_before_it_is_whole(tmp_path):
    """Before publishing, only a hidden folder is there; afterwards, only the results."""
    path = tmp_path / 'a' / 'b'
    with OutputFolder(path) as folder:
        folder.write_json('summary.json', {'x': 1})
        (folder.folder('frames') / '000000.png').write_bytes(b'p')
        assert [name[0] for name in os.listdir(path)] == ['.']
        folder.publish()
    assert sorted(os.listdir(path)) == ['frames', 'summary.json']


def test_failure_leaves_nothing(tmp_path):
    """After an error there is neither a file nor a folder that was not there before."""
    with pytest.raises(RuntimeError):
        with OutputFolder(tmp_path / 'a' / 'b') as folder:
            folder.write_json('summary.json', {})
            raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_failure_keeps_the_results_of_before(tmp_path):
    """The results of an earlier run are only replaced by whole ones."""
    for value in (1, 2):
        try:
            with OutputFolder(tmp_path) as folder:
                folder.write_json('summary.json', {'run': value})
                if value == 2:
                    raise RuntimeError
                folder.publish()
        except RuntimeError:
            pass
    assert json.loads((tmp_path / 'summary.json').read_text()) == {'run': 1}


def test_an_earlier_run_is_replaced_as_a_whole(tmp_path):
    """Pictures of an earlier, longer run do not stay among the new ones."""
    for count in (3, 1):
        with OutputFolder(tmp_path) as folder:
            for i in range(count):
                (folder.folder('frames') / f'{i:06d}.png').write_bytes(b'p')
            folder.publish()
    assert os.listdir(tmp_path / 'frames') == ['000000.png']


def test_strangers_are_not_replaced(tmp_path):
    """A folder called frames with somebody's photographs is left alone."""
    (tmp_path / 'frames').mkdir()
    (tmp_path / 'frames' / 'holiday.png').write_bytes(b'p')
    with pytest.raises(OutputError, match='holiday.png'):
        OutputFolder(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ['frames']


def test_folder_that_cannot_be_written(tmp_path):
    """A file where the folder should be is told in one line."""
    (tmp_path / 'file').write_text('x')
    for path in (tmp_path / 'file', tmp_path / 'file' / 'below'):
        with pytest.raises(OutputError, match='cannot write to .*choose another folder'):
            OutputFolder(path)


def test_single_files(tmp_path):
    """A file appears whole; where it cannot, nothing stays."""
    write_file(tmp_path / 'a.json', b'{}')
    assert os.listdir(tmp_path) == ['a.json']
    (tmp_path / 'folder').mkdir()
    with pytest.raises(OutputError, match='cannot write'):
        write_file(tmp_path / 'folder', b'{}')
    assert sorted(os.listdir(tmp_path)) == ['a.json', 'folder']


def test_json_for_people():
    """The content survives, short things stay on one line, NaN is refused."""
    content = {'path': '[ a\n b ]', 'long': [{'numbers': list(range(30)), 'n': None}] * 2}
    text = readable_json(content)
    assert json.loads(text) == content
    assert str(list(range(30))) not in text or max(map(len, text.splitlines())) < 130
    assert len(readable_json({'a': [1, 2, 3]}).splitlines()) == 1
    with pytest.raises(ValueError):
        readable_json({'a': float('nan')})
