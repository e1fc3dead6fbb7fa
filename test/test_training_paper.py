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

"""The published recipe: a tiny run of each kind goes through."""

import json
from pathlib import Path

import numpy as np
import pytest
from published_runs import arguments, made_up, SIZE, TINY
import tiny_runs

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training import config as configuration  # noqa: E402, I100
from training.__main__ import main  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.models.foundry import Foundry  # noqa: E402
from training.tasks import numerics  # noqa: E402
from training.tasks.classify import Classify  # noqa: E402
from training.tasks.common import ready, weights  # noqa: E402
from training.tasks.foundry import Distill, start_from  # noqa: E402

PAPER = Path('training/configs/paper')


def go(verb, tmp, *configs, more=(), sizes=('model',)):
    """Run a verb of the paper on next to nothing."""
    return main(arguments(verb, *configs, more=more, sizes=sizes))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Pretrain a teacher and distill it with and without a gate."""
    tmp = tmp_path_factory.mktemp('paper')
    patch = pytest.MonkeyPatch()
    patch.setattr('training.data.sets.read', made_up)
    assert go('pretrain', tmp, 'pretrain', more=[
        f'output={tmp}/teacher', 'trainer.epochs=2', 'predictor.width=8', 'predictor.depth=1',
        'predictor.heads=2', 'collapse.from_epoch=5']) == 0
    both = ['model', 'teacher']
    base = [f'pretrained={tmp}/teacher/last.ckpt', 'student.supertokens=4']
    assert go('distill', tmp, 'distill', sizes=both, more=[
        *base, f'output={tmp}/frozen', 'trainer.epochs=2', 'unfreeze=2', 'loss=mse']) == 0
    assert go('distill', tmp, 'distill_gate', sizes=both, more=[
        *base, f'output={tmp}/gate', 'trainer.epochs=2', 'unfreeze=1', 'gate.lambda=0.1']) == 0
    yield tmp
    patch.undo()


def test_a_frozen_student_keeps_the_teachers_encoder_and_learns_the_rest(trained):
    teacher = weights(trained / 'teacher/last.ckpt', 'model.backbone.')
    frozen = weights(trained / 'frozen/last.ckpt', 'student.backbone.')
    thawed = weights(trained / 'gate/last.ckpt', 'student.backbone.')
    encoder, tokenizer = 'encoder.blocks.0.qkv.weight', 'tokenizer.outer.weight'
    assert torch.equal(frozen[encoder], teacher[encoder])
    assert not torch.equal(thawed[encoder], teacher[encoder])
    for found in (frozen, thawed):
        assert not torch.equal(found[tokenizer], teacher[tokenizer])


def test_the_curves_of_a_gate_are_logged(trained):
    header = (trained / 'gate/metrics.csv').read_text().splitlines()[0].split(',')
    assert {'val_loss', 'val_fused'} <= set(header)
    assert 'val_fused' not in (trained / 'frozen/metrics.csv').read_text()


def test_the_papers_way_goes_through_on_cached_tokens_too(trained, tmp_path):
    tiny_runs.write_data(tmp_path)
    for name in ('foundry', 'foundry_gate'):
        size = [f'{s}.{k}={v}' for s in ('model', 'teacher')
                for k, v in {**SIZE, 'tokenizer': 'mixing'}.items()]
        assert main(['distill', '--config', f'training/configs/small/{name}.yaml', '--data-root',
                     str(tmp_path), f'output={tmp_path}/{name}', f'data.cache={tmp_path}/cache',
                     f'pretrained={trained}/teacher/last.ckpt', 'data.mix.modelnet40_train=0',
                     'data.mix.infomr=8', 'data.steps=2', 'trainer.epochs=2', 'unfreeze=1',
                     'trainer.compile=false', 'trainer.precision=32-true', 'trainer.log_every=1',
                     *size]) == 0
    assert 0 <= tiny_runs.history(tmp_path / 'foundry_gate')['fused'][3] <= 1
    assert 'fused' not in tiny_runs.history(tmp_path / 'foundry')


def distilling(trained, name, *more):
    """Make the task of a distillation from the tiny teacher."""
    config = configuration.load(PAPER / f'{name}.yaml', [
        *TINY, f'pretrained={trained}/teacher/last.ckpt', 'student.supertokens=4',
        *(f'{s}.{k}={v}' for s in ('model', 'teacher') for k, v in SIZE.items()), *more])
    return Distill(config)


def test_before_the_epoch_of_unfreezing_the_encoder_gets_no_step(trained, monkeypatch):
    task = distilling(trained, 'distill_gate', 'trainer.epochs=9', 'unfreeze=5')
    inputs = {'groups': torch.randn(2, 20, 8, 3), 'centers': torch.randn(2, 20, 3)}
    encoder = list(task.student.backbone.encoder.parameters())
    for epoch, frozen in ((4, True), (5, False)):
        monkeypatch.setattr(Distill, 'current_epoch', epoch)
        task.distil(inputs)[0].backward()
        task.on_before_optimizer_step(None)
        assert all((p.grad is None) == frozen for p in encoder)
        assert task.student.upsample[0].weight.grad is not None


def test_weight_decay_leaves_the_gate_alone_unless_asked(trained):
    for asked, kept in (('false', True), ('true', False)):
        task = distilling(trained, 'distill_gate', f'gate.weight_decay={asked}')
        gate = {id(p) for p in task.student.gate.parameters()}
        decay = {id(p): group['weight_decay'] for group in task.configure_optimizers()[
            'optimizer'].param_groups for p in group['params']}
        assert len(gate) == 4 and {decay[p] for p in gate} == {0.0 if kept else 0.05}
        assert {decay[p] for p in decay.keys() - gate} == {0.05}


def test_a_tokenizer_that_projects_is_taken_with_its_projection():
    size = Size(width=16, depth=1, heads=2, first=(8, 8), second=(24,))
    teacher, student = Backbone(size), Foundry(size, 16)
    start_from(student, teacher.state_dict())
    assert torch.equal(student.backbone.tokenizer.project.weight,
                       teacher.tokenizer.project.weight)


def test_a_smaller_student_takes_tokenizer_and_positions_of_the_teacher(trained):
    teacher = weights(trained / 'teacher/last.ckpt', 'model.backbone.')
    own = distilling(trained, 'distill_tiny', 'model.width=8', 'model.tokens=16'
                     ).student.backbone
    assert own.encoder.norm.weight.shape == (8,) and own.tokenizer.project.out_features == 8
    for key in ('tokenizer.outer.weight', 'tokenizer.inner_norm.running_var', 'position.2.weight'):
        assert torch.equal(own.state_dict()[key], teacher[key])
    with pytest.raises(configuration.ConfigError, match="student's tokenizer is not as large"):
        distilling(trained, 'distill_tiny', 'model.tokens=16', 'model.first=[4, 8]')


@pytest.mark.parametrize('config, network', [
    (['modelnet40'], []), (['modelnet40', '_foundry_gate'], ['gate'])])
def test_classes_are_learned_and_measured_with_fewer_tokens(trained, tmp_path, config, network):
    more = [f'output={tmp_path}', 'trainer.epochs=2', 'unfreeze=1', 'heads.classes=2',
            'reduce.runs=2']
    if network:
        more += [f'distilled={trained}/gate/last.ckpt', 'student.supertokens=4',
                 'reduce.budget=[4, 8]', 'reduce.ratio=[0.5, 1.0]']
    else:
        more += [f'pretrained={trained}/teacher/last.ckpt', 'reduce.random=[4]',
                 'reduce.larger=[2]', 'reduce.tome=[]']
    assert go('finetune', tmp_path, *config, more=more,
              sizes=['model', 'teacher'] if network else ['model']) == 0
    rows = json.loads((tmp_path / 'accuracy.json').read_text())['accuracy']
    expected = ['budget 4', 'budget 8', 'ratio 0.5', 'ratio 1.0'] if network else [
        'random 4', 'larger 2']
    assert list(rows) == ['as trained', *expected]
    assert all(0 <= row['mean'] <= 1 and row['runs'] == 2 for row in rows.values())


def test_a_linear_probe_tells_flat_from_round(trained, tmp_path):
    assert go('probe', tmp_path, 'modelnet40', more=[
        f'output={tmp_path}', f'pretrained={trained}/teacher/last.ckpt', 'heads.classes=2']) == 0
    found = json.loads((tmp_path / 'probe.json').read_text())['accuracy']
    assert 0.5 <= found <= 1


def test_parts_are_learned_at_the_points(trained, tmp_path):
    assert go('finetune', tmp_path, 'shapenetpart', more=[
        f'output={tmp_path}', f'pretrained={trained}/teacher/last.ckpt', 'trainer.epochs=2',
        'heads.classes=2', 'heads.parts=4', 'heads.levels=[0, 1]', 'data.draw=64',
        'reduce.runs=1', 'reduce.random=[2]', 'reduce.larger=[1]', 'reduce.tome=[]']) == 0
    rows = json.loads((tmp_path / 'miou.json').read_text())['miou']
    assert list(rows) == ['as trained', 'random 2', 'larger 1']
    assert all(0 <= row['miou_c']['mean'] <= 1 for row in rows.values())


def test_what_was_trained_on_a_gpu_is_measured_there(trained, monkeypatch):
    config = configuration.load(PAPER / 'modelnet40.yaml', [
        *TINY, 'pretrained=', 'heads.classes=2', *(f'model.{k}={v}' for k, v in SIZE.items())])
    task = Classify(config)
    state = {f'model.{k}': v for k, v in task.model.state_dict().items()}
    monkeypatch.setattr('training.tasks.common.weights', lambda path, prefix: {
        k[len(prefix):]: v for k, v in state.items()})
    monkeypatch.setattr(numerics, 'device_of', lambda accelerator: torch.device('meta'))
    ready(task, 'last.ckpt')
    assert task.device.type == 'meta' and not task.training


def test_few_shot_of_several_processes_is_refused(capsys):
    assert go('fewshot', None, 'fewshot', more=['trainer.devices=2']) == 1
    assert 'run fewshot with trainer.devices=1' in capsys.readouterr().err


def test_few_shots_are_repeated_over_folds_and_taken_up_again(trained, tmp_path, capsys):
    more = [f'output={tmp_path}', f'pretrained={trained}/teacher/last.ckpt', 'trainer.epochs=2',
            'fewshot.ways=[2]', 'fewshot.shots=[3]', 'fewshot.folds=2', 'fewshot.queries=2']
    assert go('fewshot', tmp_path, 'fewshot', more=more) == 0
    row = json.loads((tmp_path / 'fewshot.json').read_text())['accuracy']['2way_3shot']
    assert len(row['folds']) == 2 and row['mean'] == pytest.approx(np.mean(row['folds']))
    assert not list(tmp_path.rglob('*.ckpt'))
    more[5] = 'fewshot.folds=3'
    assert go('fewshot', tmp_path, 'fewshot', more=['--resume', *more]) == 0
    again = json.loads((tmp_path / 'fewshot.json').read_text())['accuracy']['2way_3shot']
    assert again['folds'][:2] == row['folds'] and again['runs'] == 3
    assert '2-way 3-shot: ' in capsys.readouterr().out


@pytest.mark.parametrize('verb, config, more, said', [
    ('finetune', 'modelnet40', [], 'heads.classes is 40'),
    ('finetune', 'shapenetpart', ['heads.classes=2'], 'heads.parts is 50'),
    ('pretrain', 'pretrain', ['trainer.epochs=1', 'optimiser.warm_up_epochs=1'],
     'a warm-up of 1 epochs leaves none of 1'),
    ('pretrain', 'pretrain', ['trainer.epochs=2', 'collapse.from_epoch=0',
                              'collapse.spread_wanted=9'], 'collapsed in epoch 0: spread_wanted'),
    ('pretrain', 'pretrain', ['data.batch=60'], '12 shapes do not fill a batch of 60')])
def test_a_run_that_cannot_be_is_one_line(monkeypatch, capsys, tmp_path, verb, config, more, said):
    monkeypatch.setattr('training.data.sets.read', made_up)
    extra = ['pretrained='] if verb == 'finetune' else [
        'predictor.width=8', 'predictor.depth=1', 'predictor.heads=2']
    assert go(verb, tmp_path, config, more=[f'output={tmp_path}', *extra, *more]) == 1
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith('error: ')]
    assert len(lines) == 1 and said in lines[0]
