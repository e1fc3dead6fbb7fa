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

"""point2vec: what is hidden, what is to be predicted, who learns."""

import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')

from test_training_paper import go, made_up  # noqa: E402, I100
from test_training_paper_configs import load  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from training.models.backbone import Backbone, Size  # noqa: E402
from training.models.point2vec import Point2Vec  # noqa: E402
from training.tasks.common import backbone_weights  # noqa: E402
from training.tasks.pretrain import Pretrain  # noqa: E402

SIZE = Size(width=24, depth=3, heads=2, first=[8], second=[16], drop_path=0, dropout=0,
            tokenizer='lean')
DECODER = {'depth': 1, 'heads': 2}


def made(masked=0.65):
    torch.manual_seed(0)
    return Point2Vec(Backbone(SIZE), DECODER, masked, [1, 2])


def clouds():
    g = torch.Generator().manual_seed(1)
    return torch.randn(3, 64, 32, 3, generator=g) * 0.1, torch.randn(3, 64, 3, generator=g)


def inputs_of(module):
    """Keep what a module is given."""
    seen = []
    module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    return seen


def test_the_student_sees_what_is_left_and_the_decoder_masks_for_the_rest():
    model = made()
    encoder, decoder = inputs_of(model.backbone.encoder), inputs_of(model.decoder)
    loss, guess, truth = model(*clouds())
    assert encoder[0][0].shape == (3, 23, 24)  # 41 of 64 are hidden
    tokens, places = decoder[0]
    assert tokens.shape == places.shape == (3, 64, 24)
    assert torch.equal(tokens[:, 23:], model.mask_token.expand(3, 41, -1))
    # Every place once, those of a cloud its own, in another order for each.
    position = model.backbone.position(clouds()[1])
    for mine, all_of_them in zip(places, position):
        nearest = torch.cdist(mine, all_of_them).argmin(1)
        assert sorted(nearest.tolist()) == list(range(64))
    assert not torch.equal(encoder[0][1][0], position[0, :23])
    assert 0 < loss < 3 and guess > 0 and truth > 0


@torch.no_grad()
def test_the_targets_are_the_mean_of_layers_each_normalised():
    model = made().eval()
    tokens, position = model.backbone.embed(*clouds())
    x, levels = tokens, []
    for block in model.teacher.blocks:
        x = block(x + position)
        levels.append(F.layer_norm(x, (24,)))
    mean = (levels[1] + levels[2]) / 2
    torch.testing.assert_close(model.wanted(tokens, position), F.layer_norm(mean, (24,)))


def test_all_but_the_slow_teacher_learns_and_it_follows():
    model = made()
    model(*clouds())[0].backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    for part in (model.backbone, model.decoder, model.regress):
        assert all(p.grad is not None for p in part.parameters())
    assert model.mask_token.grad.abs().sum() > 0
    with torch.no_grad():
        model.backbone.encoder.blocks[0].up.weight += 1
    before = model.teacher.blocks[0].up.weight.clone()
    model.update_teacher(0.75)
    torch.testing.assert_close(model.teacher.blocks[0].up.weight, before + 0.25)


@pytest.mark.parametrize('step, tau', [(0, 0.5), (25, 0.7), (50, 0.9), (80, 0.9)])
def test_the_teacher_is_slowest_from_a_share_of_the_run_on(step, tau, monkeypatch):
    class Running(Pretrain):
        def __init__(self):
            torch.nn.Module.__init__(self)
            self.config = {'tau': [0.5, 0.9], 'tau_until': 0.5}
            self.model = made()

        global_step = step
        trainer = type('Trainer', (), {'estimated_stepping_batches': 100})

    task, told = Running(), []
    monkeypatch.setattr(task.model, 'update_teacher', told.append)
    task.on_train_batch_end()
    assert told == pytest.approx([tau])


def test_point2vec_is_as_published():
    config = load('pretrain_point2vec')
    assert config['trainer']['epochs'] == 800 and config['data']['batch'] == 512
    assert config['masked'] == 0.65 and config['targets'] == list(range(6, 12))
    assert config['decoder'] == {'depth': 4, 'heads': 6, 'drop_path': 0.25, 'dropout': 0.0,
                                 'attention': 0.05}
    assert config['tau'] == [0.9998, 0.99999] and config['tau_until'] * 800 == 200
    o = config['optimiser']
    assert (o['lr'], o['start_lr'], o['final_lr'], o['warm_up_epochs']) == (1e-3, 1e-6, 1e-6, 80)
    assert (config['model']['drop_path'], config['model']['attention']) == (0.25, 0.05)
    assert config['model']['dropout'] == 0.0
    tuned = load('modelnet40_point2vec')
    assert tuned['heads']['smoothing'] == 0.2 and tuned['optimiser']['lr'] == 3e-4
    assert tuned['trainer']['epochs'] == 150 and tuned['unfreeze'] == 100
    assert tuned['trainer']['clip'] is None


def test_it_pretrains_what_students_begin_with(monkeypatch, tmp_path):
    monkeypatch.setattr('training.data.sets.read', made_up)
    assert go('pretrain', tmp_path, 'pretrain_point2vec', more=[
        f'output={tmp_path}', 'trainer.epochs=2', 'decoder.depth=1', 'decoder.heads=2',
        'targets=[0, 1]', 'collapse.from_epoch=5']) == 0
    found = backbone_weights(tmp_path / 'last.ckpt')
    assert {'encoder.blocks.1.qkv.weight', 'tokenizer.outer.weight'} <= found.keys()
