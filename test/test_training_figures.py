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

"""The pictures of a run: all are drawn, from what the run wrote and what the student says."""

import json

import numpy as np
from PIL import Image
import pytest

pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('matplotlib', reason='pictures need matplotlib')

from training import config as configuration  # noqa: E402, I100
from training.__main__ import main  # noqa: E402
from training.data.shapes import Shapes  # noqa: E402
from training.tasks.figures import pictures  # noqa: E402
from training.tasks.figures_curves import read_metrics, smooth  # noqa: E402
from training.tasks.figures_data import Subject  # noqa: E402
from training.tasks.figures_supertokens import shares  # noqa: E402

CONFIG = 'training/configs/small/figures.yaml'
TINY = {'width': 16, 'depth': 2, 'heads': 2, 'first': [8, 8], 'second': [16]}


def made_up(name, root):
    """Give some clouds of two classes."""
    del name, root
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(24, 300, 3)).astype(np.float32)
    cloud /= np.linalg.norm(cloud, axis=2, keepdims=True)
    cloud[1::2, :, 2] *= 0.2
    return Shapes(cloud, np.arange(24) % 2, ['ball', 'disc'])


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """Lay out the leavings of runs and give a configuration's overrides."""
    monkeypatch.setattr('training.data.sets.read', made_up)
    for folder, fused in (('a', 0.2), ('b', 0.9)):
        (tmp_path / folder).mkdir()
        rows = [f'{i},{1 / (i + 1)},{"" if i % 2 else 2 / (i + 1)},{fused}' for i in range(40)]
        (tmp_path / folder / 'metrics.csv').write_text(
            '\n'.join(['step,loss,loss_4,fused', *rows]))
    row = {'accuracy': 0.8, 'interval': 0.02}
    (tmp_path / 'results.json').write_text(json.dumps(
        {'accuracy': {b: {'complete': row, 'single_view': row} for b in ('1', '16')}}))
    return [f'output={tmp_path}/out', 'pretrained=', 'figures.checkpoint=', 'figures.shapes=20',
            'figures.classes=[ball, disc]', 'figures.budgets=[64, 4]',
            f'figures.runs={{one: {tmp_path}/a}}', f'figures.results=[{tmp_path}/results.json]',
            f'figures.gates={{0.0: {tmp_path}/a, 1e-11: {tmp_path}/b}}',
            *(f'{part}.{k}={v}' for part in ('model', 'teacher') for k, v in TINY.items())]


OTHER = ('figures.others=[{title: one, checkpoint: "", budget: 1, '
         'over: {student: {supertokens: 1}, model: {depth: 3}}}]')


def test_students_beside_it_are_made_as_they_differ(arguments):
    foundry = 'training/configs/small/figures_foundry.yaml'
    config = configuration.load(foundry, [*arguments, OTHER, 'figures.budgets=[16]'])
    own, other = Subject(config).views
    assert own[::2] == ('16 tokens', 16) and other[::2] == ('one', 1)
    assert [len(v.student.supertokens.supertokens) for v in (own, other)] == [16, 1]
    assert [len(v.student.backbone.encoder.blocks) for v in (own, other)] == [TINY['depth'], 3]
    assert config['model']['depth'] == TINY['depth']


@pytest.mark.parametrize('config, budgets, more', [
    (CONFIG, [64, 4], set()),
    ('training/configs/small/figures_foundry.yaml', [16], {'projected'})])
def test_every_picture_is_drawn(arguments, tmp_path, config, budgets, more):
    assert main(['figures', '--config', config, *arguments, OTHER,
                 f'figures.budgets={budgets}']) == 0
    found = {p.stem for p in (tmp_path / 'out').iterdir()}
    assert found == {'loss', 'cost', 'accuracy', 'gate', 'features', 'pca', 'error',
                     'assignment', 'supertokens'} | more
    for path in (tmp_path / 'out').iterdir():
        picture = np.asarray(Image.open(path).convert('RGB'))
        assert min(picture.shape[:2]) > 200 and picture.std() > 5


def test_curves_are_drawn_of_what_there_is(arguments):
    config = configuration.load(CONFIG, [*arguments, 'figures.runs={}', 'figures.gates={}'])
    assert not {'loss', 'gate'} & set(pictures(config)) and 'accuracy' in pictures(config)


def test_supertokens_share_all_tokens_that_are_fused(arguments):
    share, even = shares(Subject(configuration.load(CONFIG, arguments)), 8)
    assert share.shape == (20, 8) and even.shape == (20,)
    np.testing.assert_allclose(share.sum(1), 1)
    assert (even >= 1 - 1e-6).all() and (even <= 8 + 1e-6).all()


def test_what_a_run_logged_is_read_with_its_gaps(arguments, tmp_path):
    metrics = read_metrics(tmp_path / 'a')
    assert np.isnan(metrics['loss_4']).sum() == 20 and metrics['step'][-1] == 39
    np.testing.assert_allclose(smooth(np.ones(50)), 1)


@pytest.mark.parametrize('override, said', [
    ('figures.classes=[ball, cone]', "no class 'cone'"),
    ('figures.runs={one: nowhere}', 'nowhere/metrics.csv is missing')])
def test_what_is_not_there_is_one_line(arguments, capsys, override, said):
    assert main(['figures', '--config', CONFIG, *arguments, override]) == 1
    error = capsys.readouterr().err
    assert said in error and error.startswith('error: ') and error.count('\n') == 1
