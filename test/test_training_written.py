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

"""Files that are whole or not there."""

import json
from pathlib import Path

import pytest
from training.written import write_json


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / 'made/found.json'
    write_json(path, {'a': 1})
    assert json.loads(path.read_text()) == {'a': 1} and path.read_text().endswith('\n')

    def killed(self, text):
        self.open('w').write(text[:3])
        raise KeyboardInterrupt
    monkeypatch.setattr(Path, 'write_text', killed)
    with pytest.raises(KeyboardInterrupt):
        write_json(path, {'a': 2})
    assert json.loads(path.read_text()) == {'a': 1}
