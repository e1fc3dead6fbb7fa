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

"""The whole training on a handful of made-up shapes: teacher, student, heads, bundle."""

import json

from foundry_ros.bundle import load_bundle
from foundry_ros.student import Student
import numpy as np
import pytest
import yaml

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training import config as configuration  # noqa: E402, I100
from training.__main__ import main  # noqa: E402
from training.tasks.common import weights  # noqa: E402

CONFIGS = 'training/configs/small'
TINY = {'width': 16, 'depth': 2, 'heads': 2, 'first': [8, 8], 'second': [16]}


def ellipsoids(count, points, seed):
    """Draw surface points of ellipsoids in the unit sphere, as int16 with a scale."""
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(count, points, 3))
    cloud /= np.linalg.norm(cloud, axis=2, keepdims=True)
    cloud *= rng.uniform(0.3, 1, (count, 1, 3))
    return {'points': (cloud / 1e-4).astype(np.int16), 'scale': np.float64(1e-4)}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Lay out data sets in their published compact form."""
    root = tmp_path_factory.mktemp('data')
    for name in ('modelnet40', 'infomr', 'psb_labeled'):
        (root / name).mkdir()
    classes = np.array(['chair', 'cup'])
    for split, n in (('train', 40), ('test', 6)):
        np.savez(root / f'modelnet40/modelnet40_1024_{split}.npz', labels=np.arange(n) % 2,
                 class_names=classes, **ellipsoids(n, 1024, n))
    np.savez(root / 'infomr/infomr_1024.npz', labels=np.arange(12) % 3,
             class_names=np.array(['Chess', 'Gun', 'Ship']), **ellipsoids(12, 1024, 3))
    np.savez(root / 'psb_labeled/psb_labeled_4096.npz', category=np.arange(8) % 2,
             part=(np.arange(8)[:, None] % 2 * 2 + np.arange(4096)[None] % 2).astype(np.uint8),
             is_test=np.arange(8) >= 6, category_names=np.array(['Cup', 'Plier']),
             part_names=np.array(['Cup/body', 'Cup/handle', 'Plier/edge', 'Plier/handle']),
             **ellipsoids(8, 4096, 9))
    return root


def overrides(tmp, *more):
    """Shrink a configuration to seconds."""
    sizes = [f'{part}.{key}={value}' for part in ('model', *more)
             for key, value in TINY.items()]
    return [*sizes, f'data.cache={tmp}/cache', 'data.steps=2', 'trainer.epochs=1',
            'trainer.compile=false', 'trainer.precision=32-true', 'trainer.accelerator=cpu']


def run(verb, tmp, root, *extra):
    return main([verb, '--data-root', str(root), *map(str, extra)])


@pytest.fixture(scope='module')
def trained(root, tmp_path_factory):
    """Run every stage once, resuming the first."""
    import training.data.shapes as shapes
    tmp = tmp_path_factory.mktemp('runs')
    patch = pytest.MonkeyPatch()
    patch.setattr(shapes, 'SIMULATED', {'box': 4})
    mix = ['data.mix.modelnet40_train=6', 'data.mix.infomr=2']
    teacher = [f'output={tmp}/pretrain', *overrides(tmp), *mix]
    assert run('pretrain', tmp, root, '--config', f'{CONFIGS}/pretrain.yaml', *teacher) == 0
    first = torch.load(tmp / 'pretrain/last.ckpt', weights_only=True)
    assert run('pretrain', tmp, root, '--config', f'{CONFIGS}/pretrain.yaml', '--resume', *teacher,
               'trainer.epochs=2') == 0
    sizes, kept = overrides(tmp, 'teacher'), f'{tmp}/teacher.ckpt'
    labelled = [*sizes, 'data.mix.whole=6', 'data.mix.single_view=6', 'data.mix.simulated=2',
                'data.mix.outliers=2', 'data.mix.parts=3']
    for verb in ('finetune', 'keep'):
        assert run(verb, tmp, root, '--config', f'{CONFIGS}/teacher.yaml', *labelled,
                   f'output={tmp}/teacher', 'data.workers=0', 'data.cutmix=1.0',
                   f'kept={kept}') == 0
    assert run('distill', tmp, root, '--config', f'{CONFIGS}/distill.yaml',
               f'output={tmp}/distill', *sizes, f'pretrained={kept}', *mix) == 0
    heads = [*labelled, f'output={tmp}/finetune', f'distilled={tmp}/distill/last.ckpt',
             f'pretrained={kept}', f'heads.begin={kept}', f'bundle.output={tmp}/bundle',
             'bundle.mode_classes={}']
    for verb in ('finetune', 'export'):
        assert run(verb, tmp, root, '--config', f'{CONFIGS}/finetune.yaml', *heads) == 0
    patch.undo()
    return tmp, first, heads


def test_resuming_goes_on_where_the_run_stopped(trained):
    tmp, first, _ = trained
    last = torch.load(tmp / 'pretrain/last.ckpt', weights_only=True)
    assert first['global_step'] == 2 and last['global_step'] == 4
    assert last['epoch'] == 1


def test_the_student_starts_from_the_teacher_and_moves(trained):
    tmp, _, _ = trained
    teacher = weights(tmp / 'teacher.ckpt', 'model.student.backbone.')
    student = weights(tmp / 'distill/last.ckpt', 'student.backbone.')
    moved = {i: (student[key] - teacher[key]).abs().max() for i in (0, 1)
             for key in [f'encoder.blocks.{i}.qkv.weight']}
    assert moved[0] == 0 < moved[1] < 0.1  # the early block stays the teacher's


def test_of_no_epochs_the_checkpoint_is_how_fine_tuning_begins(trained, root, monkeypatch):
    tmp, _, heads = trained
    monkeypatch.setattr('training.data.shapes.SIMULATED', {'box': 4})
    assert run('finetune', tmp, root, '--config', f'{CONFIGS}/finetune.yaml', *heads,
               f'distilled={tmp}/teacher.ckpt', f'output={tmp}/begun', 'trainer.epochs=0') == 0
    begun, kept = (weights(tmp / f, 'model.') for f in ('begun/last.ckpt', 'teacher.ckpt'))
    assert begun.keys() == kept.keys()
    assert all(torch.equal(v.half(), kept[k]) for k, v in begun.items() if v.is_floating_point()
               and not k.startswith('student.upsample'))


def test_the_bundle_is_one_the_robot_takes_at_every_budget(trained):
    tmp, _, _ = trained
    bundle = load_bundle(tmp / 'bundle')
    assert set(bundle.classes) == {'chair', 'cup', 'plier', 'box'}
    assert bundle.part_classes['plier'] == ('plier',)
    student = Student(bundle)
    rng = np.random.default_rng(0)
    groups = (rng.normal(size=(3, 64, 32, 3)) * 0.1).astype(np.float32)
    centers = rng.normal(size=(3, 64, 3)).astype(np.float32)
    for budget in bundle.token_budgets:
        prediction = student(groups, centers, budget)
        assert prediction.class_logits.shape == (3, 4)
        assert prediction.part_logits.shape == (3, 64, 4)
        assert np.isfinite(prediction.class_logits).all()


def test_evaluation_fills_the_manifest(trained, root, monkeypatch, tmp_path, capsys):
    tmp, _, heads = trained
    monkeypatch.setattr('training.tasks.evaluate.RESULTS', tmp_path)
    monkeypatch.setattr('training.data.shapes.SIMULATED', {'box': 4})
    assert run('evaluate', tmp, root, '--config', f'{CONFIGS}/finetune.yaml', *heads) == 0
    capsys.readouterr()
    assert run('compare', tmp, root, '--config', f'{CONFIGS}/finetune.yaml', *heads,
               f'bundle.before={tmp}/bundle') == 0
    rows = [x for x in capsys.readouterr().out.splitlines() if '→' in x][1:]
    assert len(rows) == 7 and all(x.count('(+0.0 ± 0.0)') == 3 for x in rows)
    manifest = yaml.safe_load((tmp / 'bundle/manifest.yaml').read_text())
    row = manifest['accuracy'][64]
    assert 0 <= row['complete']['accuracy'] <= 1 and len(row['complete']['seeds']) == 5
    assert set(row['part_miou']) == {'complete', 'single_view'}
    assert manifest['score_temperature'] > 0
    written = json.loads((tmp_path / f'{manifest["name"]}.json').read_text())
    for stage in ('distill', 'finetune'):
        of_stage = written['trained'][stage]
        assert of_stage['seconds'] > 0 and of_stage['machine']['cpu']
        assert of_stage['config']['output'].startswith(str(tmp))
    load_bundle(tmp / 'bundle')


@pytest.mark.parametrize('arguments, said', [
    (['distill', '--config', 'no/such.yaml'], 'no/such.yaml'),
    (['pretrain', '--config', f'{CONFIGS}/pretrain.yaml', 'trainer.epoch=3'], 'trainer.epoch'),
    (['pretrain', '--config', f'{CONFIGS}/pretrain.yaml', '--data-root', 'nowhere'], 'nowhere'),
    (['evaluate', '--config', f'{CONFIGS}/finetune.yaml', 'bundle.output=nowhere'], 'nowhere'),
    (['distill', '--config', f'{CONFIGS}/distill.yaml', 'student.assignment=hard'],
     "student lacks 'supertokens'"),
    (['distill', '--config', f'{CONFIGS}/distill.yaml', 'student.assignment=soft'],
     "student.assignment is regions or hard, not 'soft'"),
])
def test_a_wrong_request_is_one_line(arguments, said, capsys, tmp_path):
    extra = [f'output={tmp_path}', 'trainer.compile=false', f'data.cache={tmp_path}']
    if 'trainer.epoch=3' in arguments:
        extra = []
    assert main(arguments + extra) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and error.startswith('error: ') and said in error


@pytest.mark.parametrize('arguments, said', [
    (['finetune', '--config', f'{CONFIGS}/distill.yaml'], "finetune needs 'heads', which"),
    (['export', '--config', f'{CONFIGS}/distill.yaml'], "export needs 'bundle', which"),
    (['keep', '--config', f'{CONFIGS}/distill.yaml'], "keep needs 'kept', which"),
    (['describe', '--config', f'{CONFIGS}/distill.yaml', 'optimiser.lr=fast'], "'fast' cannot be"),
    (['describe', '--config', f'{CONFIGS}/distill.yaml', 'beside=[1'], "'[1' cannot be read"),
    (['describe', '--config', f'{CONFIGS}/distill.yaml', 'model=1'], 'model is a section, of '),
    (['reproduce', '--table', '1', '--config', f'{CONFIGS}/distill.yaml'], 'reads --runs'),
    (['reproduce', '--table', '1', 'trainer.epochs=3'], 'reads --runs'),
    (['check-data', 'trainer.epochs=3'], "'trainer.epochs=3' overrides nothing without --config"),
])
def test_a_verb_with_the_wrong_file_or_value_is_one_line(arguments, said, capsys):
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and error.startswith('error: ') and said in error


def test_a_number_may_be_written_as_yaml_has_none():
    found = configuration.load(f'{CONFIGS}/distill.yaml', ['optimiser.lr=1e-3'])
    assert found['optimiser']['lr'] == 0.001


@pytest.mark.parametrize('arguments, said', [
    (['dance'], 'see python -m training --help'),
    (['pretrain'], '--config; see python -m training pretrain --help'),
])
def test_wrong_usage_is_one_line(arguments, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and error.startswith('error: ') and said in error
