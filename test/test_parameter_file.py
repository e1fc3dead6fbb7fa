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

"""The parameter file is the table in the code."""

from pathlib import Path

from foundry_ros.config import Params, table, update
from foundry_ros.parameter_file import as_markdown, as_params_file, load

CONFIG = Path(__file__).resolve().parent.parent / 'config' / 'perception.yaml'


def test_the_file_is_up_to_date():
    """What is in the repository is what the table gives."""
    assert CONFIG.read_text(encoding='utf-8') == as_params_file(), (
        'run: python -m foundry_ros.parameter_file > config/perception.yaml')


def test_the_file_holds_the_defaults(tmp_path):
    """Every parameter is in it with its default."""
    other = update(Params(), {'crop.max_range': 7.0, 'output.target_frame': 'map'})
    assert load(CONFIG, other) == Params()
    assert all(f'{name.rpartition(".")[2]}: ' in CONFIG.read_text() for name in table())


def test_the_tables_name_every_parameter():
    """So do the tables of the README, in their sections."""
    text = as_markdown()
    for name in table():
        section, _, item = name.rpartition('.')
        assert f'`{item}`' in text and (not section or f'`{section}.*`' in text)
