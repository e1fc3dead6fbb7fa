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

"""Students by other means go through every stage: distilled, fine-tuned, measured, exported."""

import json

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from test_training_paper import go, made_up  # noqa: E402, I100
from test_training_run import overrides, root, run  # noqa: E402, F401
from training import config as configuration  # noqa: E402
from training import export, export_fixed  # noqa: E402
from training.data import sets  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.models.reduced import KINDS  # noqa: E402
from training.tasks import measure  # noqa: E402
from training.tasks.common import weights  # noqa: E402
from training.tasks.describe import budgets_of  # noqa: E402

SIZE = Size(width=16, depth=2, heads=2, first=(8, 8), second=(16,))
BOTH = ['model', 'teacher']
SMALL = sorted(KINDS.keys() - {'prototypes', 'first_groups'})  # the paper has them, too
EVERY = sorted(KINDS.keys() - {'prototypes', 'first_groups', 'larger_groups'})


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    """Make a teacher's checkpoint, of random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('teacher') / 'last.ckpt'
    state = {f'model.backbone.{k}': v for k, v in Backbone(SIZE).state_dict().items()}
    torch.save({'state_dict': state}, path)
    return path


def distill(name, tmp, teacher, *more):
    """Distill as published, on next to nothing; 6 of 20 tokens are left."""
    return go('distill', tmp, f'reduce/distill_{name}', sizes=BOTH, more=[
        f'pretrained={teacher}', 'student.supertokens=6', f'output={tmp}/distill',
        'trainer.epochs=2', 'unfreeze=1', *more])


def tune(name, tmp, config, *more):
    """Fine-tune what was distilled."""
    return go('finetune', tmp, config, f'reduce/_{name}', sizes=BOTH, more=[
        f'distilled={tmp}/distill/last.ckpt', 'student.supertokens=6', f'output={tmp}/tuned',
        'trainer.epochs=2', 'unfreeze=1', 'heads.classes=2', 'reduce.runs=2', *more])


@pytest.mark.parametrize('name', [*SMALL, 'tome_matched'])
def test_the_published_recipe_goes_through(teacher, monkeypatch, tmp_path, name):
    monkeypatch.setattr('training.data.sets.read', made_up)
    assert distill(name, tmp_path, teacher) == 0
    before = weights(teacher, 'model.backbone.')
    after = weights(tmp_path / 'distill/last.ckpt', 'student.backbone.')
    for key in ('encoder.blocks.0.qkv.weight', 'tokenizer.outer.weight', 'position.0.weight'):
        assert 0 < (before[key] - after[key]).abs().max() < 0.1  # from the teacher on
    assert tune(name, tmp_path, 'modelnet40') == 0
    rows = json.loads((tmp_path / 'tuned/accuracy.json').read_text())['accuracy']
    assert list(rows) == ['as trained'] and 0 <= rows['as trained']['mean'] <= 1


def test_parts_are_learned_on_what_was_merged(teacher, monkeypatch, tmp_path):
    monkeypatch.setattr('training.data.sets.read', made_up)
    assert distill('tome', tmp_path, teacher) == 0
    assert tune('tome', tmp_path, 'shapenetpart', 'heads.parts=4', 'heads.levels=[0, 1]',
                'data.draw=64') == 0
    row = json.loads((tmp_path / 'tuned/miou.json').read_text())['miou']['as trained']
    assert 0 <= row['miou_c']['mean'] <= 1


def test_prototypes_are_clustered_and_only_a_head_learns(teacher, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr('training.data.sets.read', made_up)
    assert distill('prototypes', tmp_path, teacher, 'clustering.clouds=10') == 0
    assert '200 tokens to 6 prototypes, 6 of them in use' in capsys.readouterr().out
    found = weights(tmp_path / 'distill/last.ckpt', 'student.')
    assert len(found['prototypes'].unique(dim=0)) == 6
    assert tune('prototypes', tmp_path, 'modelnet40') == 0
    for name, tensor in weights(tmp_path / 'tuned/last.ckpt', 'model.network.').items():
        assert torch.equal(tensor, found[name])
    with pytest.raises(configuration.ConfigError, match='for student.reduce: prototypes'):
        from training.tasks import prototypes
        config = configuration.load('training/configs/paper/reduce/distill_prototypes.yaml', [
            f'pretrained={teacher}', 'student.reduce=tome',
            *(f'{s}.{k}={getattr(SIZE, k)}' for s in BOTH for k in ('width', 'depth', 'heads')),
            *(f'{s}.first=[8, 8]' for s in BOTH), *(f'{s}.second=[16]' for s in BOTH)])
        prototypes.run(config)


@pytest.mark.parametrize('config, more, file', [
    ('modelnet40', [], 'accuracy'),
    ('shapenetpart', ['heads.parts=4', 'heads.levels=[0, 1]', 'data.draw=64'], 'miou')])
def test_a_teachers_tokens_are_merged_at_inference(teacher, monkeypatch, tmp_path, config, more,
                                                   file):
    monkeypatch.setattr('training.data.sets.read', made_up)
    assert go('finetune', tmp_path, config, more=[
        f'output={tmp_path}', f'pretrained={teacher}', 'trainer.epochs=2', 'unfreeze=1',
        'heads.classes=2', 'reduce.runs=1', 'reduce.random=[]', 'reduce.larger=[]',
        'reduce.tome=[10, 5]', *more]) == 0
    rows = json.loads((tmp_path / f'{file}.json').read_text())[file]
    assert list(rows) == ['as trained', 'tome 10', 'tome 5']


def test_more_merging_than_blocks_allow_is_one_line(teacher, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr('training.data.sets.read', made_up)
    assert go('finetune', tmp_path, 'modelnet40', more=[
        f'output={tmp_path}', f'pretrained={teacher}', 'trainer.epochs=2', 'unfreeze=1',
        'heads.classes=2', 'reduce.runs=1', 'reduce.random=[]', 'reduce.larger=[]',
        'reduce.tome=[2]']) == 1
    assert 'error: 2 blocks, of which each merges at most half' in capsys.readouterr().err


@pytest.mark.parametrize('name', sorted(KINDS))
def test_the_small_recipe_goes_through_to_an_export(
        root, teacher, monkeypatch, tmp_path_factory, tmp_path, name, capsys):  # noqa: F811
    monkeypatch.setattr('training.data.shapes.SIMULATED', {'box': 4})
    folder, cache = 'training/configs/small', tmp_path_factory.getbasetemp() / 'cache'
    distilling = ['reduce/prototypes.yaml'] if name == 'prototypes' else [
        'distill.yaml', f'reduce/_{name}.yaml']
    tuning = ['finetune.yaml', f'reduce/_{name}.yaml']
    tiny = [*overrides(cache.parent, 'teacher'), 'model.depth=2', 'teacher.depth=2',
            'model.tokenizer=mixing', 'teacher.tokenizer=mixing', f'pretrained={teacher}',
            f'student.budgets={[16, 64] if name in EVERY else [16]}', 'beside=[]']
    assert run('distill', tmp_path, root, *files(folder, distilling), *tiny,
               f'output={tmp_path}/distill', 'data.mix.modelnet40_train=6',
               'data.mix.infomr=2') == 0
    heads = [*tiny, f'output={tmp_path}/tuned', f'distilled={tmp_path}/distill/last.ckpt',
             'data.mix.whole=6', 'data.mix.single_view=6', 'data.mix.simulated=2',
             'data.mix.outliers=2', 'data.mix.parts=3', 'budgets={16: 1.0}', 'heads.begin=']
    assert run('finetune', tmp_path, root, *files(folder, tuning), *heads) == 0
    config = configuration.load([f'{folder}/{f}' for f in tuning], [*heads, f'data.root={root}'])
    assert budgets_of(config) == [16]
    assert run('export', tmp_path, root, *files(folder, tuning), *heads) == 1
    assert f'this one has reduce: {name}' in capsys.readouterr().err
    model = export.load_model(config)
    tokens = sets.tokens('modelnet40_test', config['data'])
    rows = measure.classes(model, tokens, np.asarray(tokens.labels), [16], 5)[16]
    assert all(0 <= row['accuracy'] <= 1 for row in rows.values())
    export_fixed.write_onnx(model, tmp_path / 'model.onnx', 16)
    groups = np.asarray(tokens.groups[:3], np.float32)
    assert export_fixed.largest_difference(model, tmp_path / 'model.onnx', 16, groups,
                                           np.asarray(tokens.centers[:3])) < 1e-3


def files(folder, names):
    """Give the options that lay configurations over each other."""
    return [part for name in names for part in ('--config', f'{folder}/{name}')]
