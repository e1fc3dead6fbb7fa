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

"""Teacher tokens kept for the next run: the same, and without the teacher."""

import pytest
import tiny_runs

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training.__main__ import main  # noqa: E402, I100
from training.models.backbone import Backbone, Size  # noqa: E402
from training.tasks.teacher_tokens import TeacherTokens  # noqa: E402

SIZE = {'width': 16, 'depth': 1, 'heads': 2, 'tokenizer': 'lean', 'first': (8, 8), 'second': (16,)}


@pytest.fixture
def config(tmp_path):
    return {'seed': 1, 'teacher': SIZE, 'trainer': {
        'devices': 1, 'nodes': 1, 'epochs': 2, 'precision': '32-true'}, 'data': {
        'cache': str(tmp_path), 'steps': 3, 'mix': {'a': 2}, 'clouds': {'a': [1, 1]},
        'keep_teacher_tokens': True}}


def teacher(seed=0):
    torch.manual_seed(seed)
    return Backbone(Size(**SIZE))


class Refusing(torch.nn.Module):
    """A teacher that must not be asked."""

    def __init__(self, like):
        super().__init__()
        self.like = like

    def state_dict(self):
        return self.like.state_dict()

    def forward(self, *_):
        raise AssertionError('asked')


def test_what_one_run_kept_the_next_reads(config):
    batches = [(torch.randn(2, 8, 4, 3), torch.randn(2, 8, 3)) for _ in range(6)]
    first = TeacherTokens(teacher(), config)
    made = [first(*batch, step) for step, batch in enumerate(batches)]
    plain = teacher().eval()
    for batch, tokens in zip(batches, made):
        assert torch.allclose(tokens, plain(*batch), atol=2e-3)
    again = TeacherTokens(Refusing(teacher()), config)
    for step in (5, 0, 3):
        assert torch.equal(again(*batches[step], step), made[step])


@pytest.mark.parametrize('change', [{'seed': 2}, {'data': {'mix': {'a': 1, 'b': 1}}},
                                    {'trainer': {'precision': 'bf16-mixed'}}])
def test_other_batches_have_other_tokens(config, change):
    batch = torch.randn(2, 8, 4, 3), torch.randn(2, 8, 3)
    TeacherTokens(teacher(), config)(*batch, 0)
    for key, value in change.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    with pytest.raises(AssertionError, match='asked'):
        TeacherTokens(Refusing(teacher()), config)(*batch, 0)


def test_another_teacher_is_asked(config):
    batch = torch.randn(2, 8, 4, 3), torch.randn(2, 8, 3)
    TeacherTokens(teacher(), config)(*batch, 0)
    with pytest.raises(AssertionError, match='asked'):
        TeacherTokens(Refusing(teacher(1)), config)(*batch, 0)


def test_students_of_a_seed_learn_the_same_from_kept_tokens(tmp_path):
    tiny_runs.write_data(tmp_path)
    options = ['data.steps=3', 'trainer.epochs=1', 'trainer.log_every=1']
    assert main(tiny_runs.arguments('pretrain', tmp_path, tmp_path / 'teacher', *options)) == 0
    curves = []
    for name, keep in (('plain', 'false'), ('first', 'true'), ('second', 'true')):
        assert main(tiny_runs.arguments(
            'distill', tmp_path, tmp_path / name, *options, parts=('model', 'teacher')) + [
            f'pretrained={tmp_path}/teacher/last.ckpt', f'data.keep_teacher_tokens={keep}']) == 0
        curves.append(tiny_runs.history(tmp_path / name)['loss'])
    assert curves[1] == curves[2] == pytest.approx(curves[0], rel=1e-2)
    assert len(list((tmp_path / 'cache/teacher_tokens').glob('*.known.npy'))) == 1


def test_several_processes_keep_nothing(config):
    config['trainer']['devices'] = 2
    with pytest.raises(ValueError, match='one process'):
        TeacherTokens(teacher(), config)
