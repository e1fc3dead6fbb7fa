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

"""Specialists: they learn what a fine-tuned teacher says, and serve as a student elsewhere."""

import json

import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from test_training_paper import go, made_up, SIZE, TINY  # noqa: E402, I100
from training import config as configuration  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.tasks.common import weights  # noqa: E402
from training.tasks.describe import describe  # noqa: E402
from training.tasks.specialist import SpecialistClasses  # noqa: E402

PAPER = 'training/configs/paper'
BOTH = ['model', 'teacher']
SMALL = ['trainer.epochs=2', 'heads.classes=2', 'reduce.runs=1']
PARTS = ['heads.parts=4', 'heads.levels=[0, 1]', 'data.draw=64']


@pytest.fixture(scope='module')
def tuned(tmp_path_factory):
    """Fine-tune a teacher of random weights to classes and to parts."""
    tmp, patch = tmp_path_factory.mktemp('teacher'), pytest.MonkeyPatch()
    patch.setattr('training.data.sets.read', made_up)
    torch.manual_seed(0)
    state = {f'model.backbone.{k}': v for k, v in Backbone(Size(**SIZE)).state_dict().items()}
    torch.save({'state_dict': state}, tmp / 'last.ckpt')
    for name, more in (('shapenet55', []), ('shapenetpart', PARTS)):
        assert go('finetune', tmp, name, more=[
            *SMALL, f'pretrained={tmp}/last.ckpt', f'output={tmp}/{name}', 'unfreeze=0',
            'reduce.random=[]', 'reduce.larger=[]', 'reduce.tome=[]', *more]) == 0
    yield tmp
    patch.undo()


@pytest.mark.parametrize('name, source, file, more', [
    ('cls', 'shapenet55', 'accuracy', []), ('seg', 'shapenetpart', 'miou', PARTS)])
def test_a_specialist_learns_and_is_a_student_for_another_task(tuned, tmp_path, name, source,
                                                               file, more):
    sizes = [*SMALL, 'student.supertokens=4']
    assert go('distill', tmp_path, f'specialists/{name}', sizes=BOTH, more=[
        *sizes, f'tuned={tuned}/{source}/last.ckpt', f'output={tmp_path}/own', 'unfreeze=2',
        *more]) == 0
    assert list(json.loads((tmp_path / f'own/{file}.json').read_text())[file]) == ['as trained']
    teacher = weights(tuned / source / 'last.ckpt', 'model.network.')
    found = weights(tmp_path / 'own/last.ckpt', 'student.')
    for key, value in teacher.items():  # batch norms' averages included
        assert torch.equal(found[f'backbone.{key}'], value)
    head = 'class_head.0.weight' if name == 'cls' else 'part_head.label.0.weight'
    before = weights(tuned / source / 'last.ckpt', 'model.')[head]
    after = weights(tmp_path / 'own/last.ckpt', 'model.')[head]
    assert 0 < (after - before).abs().max() < 0.1
    assert go('finetune', tmp_path, 'modelnet40', f'specialists/_{name}', sizes=BOTH, more=[
        *sizes, f'distilled={tmp_path}/own/last.ckpt', f'output={tmp_path}/other',
        'unfreeze=1']) == 0


def test_what_it_learns_is_the_teachers_answer(tuned):
    config = configuration.load(f'{PAPER}/specialists/cls.yaml', [
        *TINY, *SMALL, 'student.supertokens=4', f'tuned={tuned}/shapenet55/last.ckpt',
        *(f'{s}.{k}={v}' for s in BOTH for k, v in SIZE.items())])
    task = SpecialistClasses(config)
    task.log = lambda *_, **__: None
    batch = {'groups': torch.randn(6, 20, 8, 3), 'centers': torch.randn(6, 20, 3)}
    optimiser = torch.optim.Adam([p for p in task.parameters() if p.requires_grad], 1e-2)
    losses = []
    task.model.class_head.eval()  # without dropout
    for _ in range(30):
        optimiser.zero_grad()
        loss = task.training_step(batch, 0)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    stuck = {n.split('.')[0] for n, p in task.student.named_parameters() if p.grad is None}
    assert stuck == {'backbone'}
    assert all(p.grad is None for p in task.teacher.parameters())


@pytest.mark.parametrize('name', ['cls', 'seg'])
def test_the_published_settings_build(name):
    config = configuration.load(f'{PAPER}/specialists/{name}.yaml')
    found = describe(config)
    assert round(found['parameters']['total'] / 1e6, 2) == 22.73
    assert config['unfreeze'] >= config['trainer']['epochs']
    overlay = configuration.load(f'{PAPER}/specialists/_{name}.yaml')
    assert overlay['distilled'] == config['output'] + '/last.ckpt'
    assert overlay['student'] == config['student']
