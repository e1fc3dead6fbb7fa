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

"""One student for every budget, by the published recipe on next to nothing."""

import json

import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from published_runs import SIZE, TINY  # noqa: E402, I100
from test_training_paper import go, PAPER, trained  # noqa: E402, F401, I100
from training import config as configuration  # noqa: E402
from training.tasks.classify import Classify  # noqa: E402
from training.tasks.common import weights  # noqa: E402
from training.tasks.foundry import Distill  # noqa: E402
from training.tasks.segment import Segment  # noqa: E402

ANY = ['student.pooled=8', 'budgets={4: 1, 8: 1}']  # one student, every budget


@pytest.fixture(scope='module')
def any_budget(trained):  # noqa: F811
    """Distill a student of every budget from the tiny teacher."""
    assert go('distill', trained, 'distill_any', sizes=['model', 'teacher'], more=[
        *ANY, f'pretrained={trained}/teacher/last.ckpt', f'output={trained}/any',
        'trainer.epochs=2']) == 0
    return trained / 'any/last.ckpt'


def test_a_student_learns_what_its_class_head_reads(trained, any_budget):  # noqa: F811
    distilled, teacher = weights(any_budget, 'student.'), weights(
        trained / 'teacher/last.ckpt', 'model.backbone.')
    for key in ('upsample.mlp.0.weight', 'overall.0.weight',
                'backbone.encoder.blocks.0.qkv.weight'):
        assert key in distilled
    assert not torch.equal(distilled['backbone.encoder.blocks.0.qkv.weight'],
                           teacher['encoder.blocks.0.qkv.weight'])
    torch.manual_seed(1)
    fresh = Distill(configuration.load(PAPER / 'distill_any.yaml', [
        *TINY, *ANY, f'pretrained={trained}/teacher/last.ckpt', 'seed=1',
        *(f'{s}.{k}={v}' for s in ('model', 'teacher') for k, v in SIZE.items())])).student
    assert not torch.equal(distilled['overall.0.weight'], fresh.overall[0].weight)


@pytest.mark.parametrize('kind, name', [(Classify, 'modelnet40'), (Segment, 'shapenetpart')])
def test_the_tokenizer_is_paid_once_for_all_budgets_of_a_step(any_budget, kind, name):
    task = kind(configuration.load([PAPER / f'{name}.yaml', PAPER / '_any.yaml'], [
        *TINY, *ANY, 'beside=[20, 1]', f'distilled={any_budget}',
        *(f'{s}.{k}={v}' for s in ('model', 'teacher') for k, v in SIZE.items())]))
    calls = []
    task.model.network.backbone.tokenizer.register_forward_hook(lambda *_: calls.append(1))
    task.log = lambda *_, **__: None
    points = torch.randn(4, 64, 3)
    loss = task.training_step({
        'groups': torch.randn(4, 20, 8, 3), 'centers': torch.randn(4, 20, 3), 'points': points,
        'labels': torch.tensor([0, 1, 0, 1]), 'part': torch.zeros(4, 64, dtype=torch.long)}, 0)
    assert loss.isfinite() and len(calls) == 1


def test_a_checkpoint_of_another_network_is_one_line(any_budget, tmp_path, capsys):
    assert go('finetune', tmp_path, 'modelnet40', '_any', sizes=['model', 'teacher'], more=[
        'student.pooled=12', f'output={tmp_path}', f'distilled={any_budget}', 'trainer.epochs=2',
        'heads.classes=2']) == 1
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith('error: ')]
    assert len(lines) == 1 and 'is of another RegionStudent than' in lines[0]
    assert 'size mismatch for own.1.weight' in lines[0]


def test_a_student_of_every_budget_is_tuned_and_measured_at_each(any_budget, tmp_path):
    assert go('finetune', tmp_path, 'modelnet40', '_any', sizes=['model', 'teacher'], more=[
        *ANY, 'beside=[20, 1]', f'output={tmp_path}', f'distilled={any_budget}', 'reduce.runs=1',
        'trainer.epochs=2', 'heads.classes=2', 'reduce.budget=[1, 8, 20]']) == 0
    rows = json.loads((tmp_path / 'accuracy.json').read_text())['accuracy']
    assert list(rows) == ['as trained', 'budget 1', 'budget 8', 'budget 20']
    assert rows['as trained'] == rows['budget 20']  # all tokens
    tuned = weights(tmp_path / 'last.ckpt', 'model.class_head.')
    assert {'encoded.0.weight', 'own.0.weight', 'trust.weight'} <= set(tuned)
    assert not torch.equal(tuned['trust.weight'], torch.ones(1, 1))
