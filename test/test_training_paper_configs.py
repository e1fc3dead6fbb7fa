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

"""What the configurations of the published recipe say, and that each of them builds."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training import config as configuration  # noqa: E402, I100
from training.data import catalogue  # noqa: E402
from training.models.transformer import Encoder  # noqa: E402
from training.tasks.describe import describe  # noqa: E402
from training.tasks.recipe import rate  # noqa: E402

PAPER = Path('training/configs/paper')
STAGES = ['pretrain', 'pretrain_point2vec', 'distill', 'distill_tiny', 'distill_gate',
          'distill_any']
OVERLAYS = [None, '_foundry', '_foundry_tiny', '_foundry_gate', '_any']
FINETUNED = sorted(p.stem for p in PAPER.glob('[a-z]*.yaml')
                   if p.stem not in (*STAGES, 'base', 'baselines'))


def load(name, overlay=None):
    return configuration.load([PAPER / f'{n}.yaml' for n in (name, overlay) if n])


@pytest.mark.parametrize('name', STAGES)
def test_a_stage_builds_and_its_sets_are_known(name):
    config = load(name)
    assert describe(config)['macs']
    for side in ('train', 'test'):
        if config['data'][side]:
            catalogue.find(config['data'][side])
    assert config['trainer']['precision'] == '32-true'
    assert config['tasks'][name.partition('_')[0]] in ('point_jepa', 'foundry')


@pytest.mark.parametrize('overlay', OVERLAYS)
@pytest.mark.parametrize('name', ['modelnet40', 'shapenetpart'])
def test_a_fine_tuning_builds_for_every_network(name, overlay):
    found = describe(load(name, overlay))
    assert found['parameters']['heads'] > 0
    assert all(row['heads'] > 0 for row in found['macs'].values())
    millions = {None: 21.84, '_foundry': 22.73, '_foundry_tiny': 6.33, '_foundry_gate': 22.78,
                '_any': 26.71}
    assert round(found['parameters']['total'] / 1e6, 2) == millions[overlay]


@pytest.mark.parametrize('overlay', sorted(p.stem for p in PAPER.glob('reduce/_*.yaml')))
@pytest.mark.parametrize('name', ['modelnet40', 'shapenetpart'])
def test_a_fine_tuning_of_every_baseline_is_described(name, overlay):
    found = describe(load(name, f'reduce/{overlay}'))
    assert found['parameters']['heads'] > 0 and found['macs']


def test_both_class_heads_of_a_student_for_every_budget_are_counted():
    one, two = (describe(load('modelnet40', overlay)) for overlay in (None, '_any'))
    assert two['parameters']['heads'] == 2 * one['parameters']['heads'] + 2  # and how one weighs
    assert two['macs']['1']['heads'] > 1.9 * one['macs']['all']['heads']


@pytest.mark.parametrize('name', FINETUNED)
def test_a_fine_tuning_names_known_sets_of_as_many_classes(name):
    config = load(name)
    train, test = (catalogue.find(config['data'][side])[0] for side in ('train', 'test'))
    assert train is test
    if name != 'fewshot':
        assert config['heads']['classes'] == train.classes
    assert config['output'] == f'runs/paper/teacher/{name}'
    assert config['unfreeze'] < config['trainer']['epochs']


def test_table_6_is_what_the_configuration_says():
    config = load('distill')
    data = config['data']
    assert data['train'] == 'shapenet55_train' and data['batch'] == 512
    assert (data['points'], data['groups'], data['neighbours']) == (1024, 64, 32)
    assert data['augment'] == {'scale': [0.8, 1.2], 'mirror': ['z'], 'rotate': True}  # z: their y
    assert config['trainer']['epochs'] == 150 and config['unfreeze'] == 50
    assert config['trainer']['precision'] == '32-true' and config['loss'] == 'smooth_l1'
    assert config['optimiser']['weight_decay'] == 0.05 and 'muon' not in config['optimiser']
    assert config['student']['supertokens'] == 16 and not config['student']['gate']
    gate = load('distill_gate')
    assert gate['student']['gate'] and gate['student']['ratio'] == 0.5
    assert not gate['student']['content']  # lambda alone moves it, as in Listing 1
    assert gate['gate'] == {'lambda': 1e-11, 'weight_decay': False}
    epochs = [rate(e, 150, 15, config['optimiser']) for e in range(150)]
    assert epochs[0] == pytest.approx(1e-6) and max(epochs) == epochs[14] == pytest.approx(1e-3)
    assert epochs[149] < 2e-6 and epochs[15:] == sorted(epochs[15:], reverse=True)
    np.testing.assert_allclose(np.diff(epochs[:15]), (1e-3 - 1e-6) / 14)


def test_the_teacher_is_pretrained_as_point_jepa():
    config = load('pretrain')
    assert config['trainer']['epochs'] == 500 and config['data']['batch'] == 512
    assert config['tau'] == [0.9995, 0.99999] and config['optimiser']['warm_up_epochs'] == 30
    assert (config['predictor']['width'], config['predictor']['depth']) == (192, 6)


# Point-JEPA, section 3.8: epochs, batch, rate, warm-up, clipping, points and groups, the epoch of
# unfreezing; drop path, dropout and attention dropout; smoothing; scale, mirrors, rotation.
MIRRORED = ['x', 'y']  # theirs: x and z
SETTINGS = {
    'pretrain': (500, 512, 1e-3, 30, None, (1024, 64), 0, (0.25, 0.1, 0.05), None,
                 ([0.8, 1.2], MIRRORED, True)),
    'pretrain_point2vec': (800, 512, 1e-3, 80, None, (1024, 64), 0, (0.25, 0, 0.05), None,
                           ([0.8, 1.2], MIRRORED, True)),
    'modelnet40_point_jepa': (200, 32, 1e-3, 10, 10, (1024, 64), 150, (0.2, 0, 0), 0.1,
                              ([0.6, 1.4], [], False)),
    'scanobjectnn_pb': (150, 32, 1e-3, 10, 10, (2048, 128), 100, (0.2, 0.1, 0.05), 0.2,
                        ([0.9, 1.1], MIRRORED, True)),
    'scanobjectnn_bg_point_jepa': (300, 32, 1e-3, 10, 10, (2048, 128), 200, (0.2, 0.1, 0.05), 0.2,
                                   ([0.9, 1.1], MIRRORED, True)),
    'fewshot': (150, 32, 1e-3, 10, None, (1024, 64), 0, (0.2, 0, 0), 0.2,
                ([0.6, 1.4], [], False)),
    'shapenetpart': (300, 16, 2e-4, 10, 10, (2048, 128), 0, (0.1, 0, 0), None,
                     ([0.8, 1.25], [], False)),
}


@pytest.mark.parametrize('name', SETTINGS)
def test_settings_are_those_of_point_jepa_and_point2vec(name):
    c = load(name)
    data, model, trainer = c['data'], c['model'], c['trainer']
    found = (trainer['epochs'], data['batch'], c['optimiser']['lr'],
             c['optimiser']['warm_up_epochs'], trainer['clip'], (data['points'], data['groups']),
             c['unfreeze'], (model['drop_path'], model['dropout'], model['attention']),
             c.get('heads', {}).get('smoothing'),
             tuple(data['augment'][k] for k in ('scale', 'mirror', 'rotate')))
    assert found == SETTINGS[name]
    assert c['optimiser']['weight_decay'] == 0.05 and c['optimiser']['final_lr'] == 1e-6


@pytest.mark.parametrize('depth', [2, 8])
def test_weights_begin_as_a_truncated_normal_rescaled_by_depth(depth):
    torch.manual_seed(0)
    block = Encoder(64, depth, 4).blocks[0]
    for layer, scale in ((block.qkv, 1), (block.up, 1), (block.out, (2 * depth) ** -0.5),
                         (block.down, (2 * depth) ** -0.5)):
        assert float(layer.weight.detach().std()) == pytest.approx(0.02 * scale, rel=0.05)
        assert float(layer.bias.detach().abs().max()) == 0
