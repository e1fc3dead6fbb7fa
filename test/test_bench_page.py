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

"""The page of results: whichever there are, with pictures; what is none is refused in one line."""

import json

from foundry_ros import bench_frames, bench_network, bench_page
from foundry_ros.__main__ import main
from foundry_ros.bundle import load_bundle
from foundry_ros.output import OutputError
from mock_bundle import make_bundle
import pytest

pytest.importorskip('matplotlib', reason='the pictures need matplotlib')

MACHINE = {'processor': 'a processor', 'onnxruntime': '1.0'}
ACCURACY = {budget: {'complete': {'accuracy': 0.8}, 'single_view': {'accuracy': 0.7}}
            for budget in (1, 64)}
STAGES = dict.fromkeys((*bench_frames.STAGES, 'p95'), 1.0)


def network(folder, bundle):
    """Give results of three networks."""
    def row(ms):
        value = {'ms': ms, 'tokens_ms': 1.0, 'ratio': 50 / ms, 'with_tokens': 51 / (ms + 1)}
        return {'title': f'of {ms} ms', 'batches': {'1': value, '8': value}}
    rows = {'teacher': row(50.0), 'mock float32 1': row(1.0), 'mock float32 64': row(5.0)}
    return {'machine': MACHINE, 'networks': {'1': rows},
            'accuracy': bench_network.accuracy([bundle])}


@pytest.fixture
def folder(tmp_path):
    """Give a folder with results of all kinds."""
    bundle = load_bundle(make_bundle(tmp_path / 'bundle', {'accuracy': ACCURACY}))
    growth = {'objects': {'1': {'found': 1, **STAGES}, '8': {'found': 8, **STAGES}},
              'points': {'16384': {'found': 8, **STAGES}, '32768': {'found': 8, **STAGES}}}
    rows = {'12': {'tokens_s': 0.1, 'network_s': 0.2, 'peak_mb': 90.0}, '14': None}
    for name, content in {
            'network': network(tmp_path, bundle), 'growth': {'machine': MACHINE, 'growth': growth},
            'scenes': {'machine': MACHINE, 'scenes': {'mock, 16 tokens': rows}}}.items():
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    return tmp_path


def test_the_page_has_tables_and_pictures(folder, capsys):
    """All that it shows is there, and what the tables say."""
    assert main(['bench', '--page', str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / 'README.md')
    text = (folder / 'README.md').read_text()
    for picture in ('accuracy_latency', 'cost_budget', 'frame_growth', 'scenes'):
        assert f'({picture}.png)' in text and (folder / f'{picture}.png').stat().st_size > 5000
    assert 'a processor' in text and '5.0 to 5.0 times the smallest' in text
    assert 'out of memory' in text


def test_only_what_is_there_is_shown(folder):
    """A folder with one kind of results has one chapter."""
    for name in ('network', 'growth'):
        (folder / f'{name}.json').unlink()
    assert bench_page.write(folder).read_text().count('\n## ') == 1


def test_accuracy_is_that_of_the_manifest(folder):
    """By budget and kind of cloud."""
    content = json.loads((folder / 'network.json').read_text())
    assert content['accuracy'] == {'mock float32': {
        b: {'complete': 0.8, 'single_view': 0.7} for b in ('1', '64')}}


@pytest.mark.parametrize('text', ['no JSON', '[]', '{"machine": {}}'])
def test_other_files_are_refused(tmp_path, text):
    """Nothing there, or something else by the same name."""
    with pytest.raises(OutputError, match='write them by bench'):
        bench_page.write(tmp_path)
    (tmp_path / 'scenes.json').write_text(text)
    with pytest.raises(OutputError, match='holds no results of bench'):
        bench_page.write(tmp_path)
