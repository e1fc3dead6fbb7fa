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

"""Two processes learn what one learns: batches, batch norms and losses are shared out."""

import json
from pathlib import Path
import re

import published_runs
import pytest
import tiny_runs
import yaml

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training.__main__ import main  # noqa: E402, I100
from training.data.mixture import Mixture  # noqa: E402
from training.data.shapes import DataError  # noqa: E402
from training.tasks.common import mean_over_all  # noqa: E402

OPTIONS = ['data.steps=3', 'trainer.epochs=2', 'trainer.log_every=1', 'model.drop_path=0.2',
           'model.dropout=0.1']


@pytest.fixture(scope='module')
def teachers(tmp_path_factory):
    """Pretrain in one process and, started by Lightning, in two."""
    tmp = tmp_path_factory.mktemp('distributed')
    tiny_runs.write_data(tmp)
    assert main(tiny_runs.arguments('pretrain', tmp, tmp / 'one', *OPTIONS)) == 0
    two = tiny_runs.start(['-m', 'training', *tiny_runs.arguments(
        'pretrain', tmp, tmp / 'two', *OPTIONS, '--trainer.devices', '2',
        '--trainer.strategy', 'ddp')])
    assert two.returncode == 0, two.stderr
    assert two.stdout.count('objects per second') == 1
    return tmp


def test_two_processes_have_the_loss_curve_of_one(teachers):
    one, two = (tiny_runs.history(teachers / name)['loss'] for name in ('one', 'two'))
    assert sorted(one) == list(range(6))
    assert one == pytest.approx(two, rel=1e-4)
    assert len(set(one.values())) == 6


def test_two_processes_compiled_in_half_precision_learn_what_one_does(teachers):
    options = [*OPTIONS, 'trainer.compile=true', 'trainer.precision=bf16-mixed']
    two = tiny_runs.start(['-m', 'training', *tiny_runs.arguments(
        'pretrain', teachers, teachers / 'half', *options, '--trainer.devices', '2',
        '--trainer.strategy', 'ddp')])
    assert two.returncode == 0, two.stderr
    one, two = (tiny_runs.history(teachers / name)['loss'] for name in ('one', 'half'))
    assert one == pytest.approx(two, rel=0.05)


def test_torchrun_distills_as_one_process_does(teachers):
    options = [*OPTIONS, f'pretrained={teachers}/one/last.ckpt']
    asked = [tiny_runs.arguments('distill', teachers, teachers / f'distilled_{name}', *options,
                                 parts=('model', 'teacher')) for name in ('one', 'two')]
    assert main(asked[0]) == 0
    two = tiny_runs.start(['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
                           '-m', 'training', *asked[1], 'trainer.devices=2',
                           'trainer.strategy=ddp'])
    assert two.returncode == 0, two.stderr
    one, two = (tiny_runs.history(teachers / f'distilled_{name}')['loss']
                for name in ('one', 'two'))
    assert one == pytest.approx(two, rel=1e-4) and len(set(one.values())) == 6


def published(tmp, name, verb, *configs, more, two, sizes=('model',)):
    """Run a verb of the published recipe by torchrun, in one process or two."""
    output = tmp / f'{name}_{two}'
    done = tiny_runs.start([
        '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', str(1 + two),
        'test/published_runs.py', *published_runs.arguments(verb, *configs, sizes=sizes, more=[
            f'output={output}', 'trainer.epochs=2', 'trainer.log_every=1',
            'model.drop_path=0.2', 'model.dropout=0.1', *more]),
        *['trainer.devices=2', 'trainer.strategy=ddp'][:2 * two]])
    assert done.returncode == 0, done.stderr
    return output, done.stdout


def test_the_published_recipe_in_two_processes(tmp_path):
    small = ['predictor.width=8', 'predictor.depth=1', 'predictor.heads=2',
             'predictor.drop_path=0.2', 'predictor.dropout=0.1', 'predictor.attention=0.05',
             'collapse.from_epoch=5']
    one, two = (published(tmp_path, 'teacher', 'pretrain', 'pretrain', more=small, two=n)[0]
                for n in (False, True))
    assert tiny_runs.history(one)['loss'] == pytest.approx(tiny_runs.history(two)['loss'],
                                                           rel=1e-4)
    gates = [published(tmp_path, 'gate', 'distill', 'distill_gate', sizes=('model', 'teacher'),
                       more=[f'pretrained={one}/last.ckpt', 'student.supertokens=4', 'unfreeze=1'],
                       two=n)[0] for n in (False, True)]
    losses = [tiny_runs.history(gate)['loss'] for gate in gates]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)  # the same Gumbel noise
    more = [f'pretrained={one}/last.ckpt', 'heads.classes=2', 'heads.dropout=0.3', 'reduce.runs=2',
            'reduce.random=[4]', 'reduce.larger=[]', 'reduce.tome=[]', 'unfreeze=1']
    found = [published(tmp_path, 'tuned', 'finetune', 'modelnet40', more=more, two=n)
             for n in (False, True)]
    losses = [tiny_runs.history(output)['loss'] for output, _ in found]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for output, said in found:  # measured once, by one of them
        assert said.count('wrote ') == 1 and said.count('random 4') == 1
        assert set(json.loads((output / 'accuracy.json').read_text())['accuracy']) == {
            'as trained', 'random 4'}


class Numbered:
    """A source that gives the numbers of its clouds."""

    def __init__(self, share, first):
        self.share, self.first = share, first

    def clouds(self, rng, step, mine):
        numbers = torch.arange(self.first, self.first + self.share)[mine]
        return {k: numbers for k in ('groups', 'centers', 'turn', 'labels')}


def test_processes_share_out_a_batch_though_no_share_divides():
    sources = [Numbered(5, 0), Numbered(3, 5), Numbered(4, 8)]
    parts = [Mixture(sources, 1, 0, 0, (rank, 3))[0]['labels'].tolist() for rank in range(3)]
    assert [len(p) for p in parts] == [4, 4, 4]
    assert sorted(sum(parts, [])) == list(range(12))
    for part in parts:  # some of every source
        assert len({(i >= 5) + (i >= 8) for i in part}) == 3


@pytest.mark.parametrize('shares, processes', [((5, 4), 2), ((6, 2), 4)])
def test_a_batch_that_does_not_divide_is_one_clear_line(shares, processes):
    with pytest.raises(DataError, match=f'{shares[0]} . {shares[1]} clouds does not divide among '
                       f'{processes} processes'):
        Mixture([Numbered(s, 0) for s in shares], 1, 0, 0, (0, processes))


def test_the_batch_that_readme_spreads_over_machines_divides():
    text = (Path(__file__).parent.parent / 'README.md').read_text()
    shares = yaml.safe_load(re.search(r"M='data.mix=(\{.*?\})'", text).group(1)).values()
    nodes, each = map(int, re.search(r'--nnodes (\d+) --nproc-per-node (\d+)', text).groups())
    Mixture([Numbered(s, 0) for s in shares], 1, 0, 0, (0, nodes * each))


def test_a_mean_over_processes_weighs_every_value_alike(monkeypatch):
    shares = torch.tensor([3.0, 5.0, 7.0]), torch.tensor([1.0]), torch.tensor([])
    assert mean_over_all(shares[0]) == 5 and mean_over_all(shares[2]) == 0
    monkeypatch.setattr('torch.distributed.is_initialized', lambda: True)
    monkeypatch.setattr('torch.distributed.get_world_size', lambda: 3)
    monkeypatch.setattr('torch.distributed.all_reduce', lambda count: count.fill_(4))
    means = torch.stack([mean_over_all(s) for s in shares])
    assert means.mean() == torch.cat(shares).mean()


def test_a_mean_of_some_values_is_that_of_those_alone():
    values = torch.tensor([3.0, 5.0, 9.0], requires_grad=True)
    mean = mean_over_all(values, torch.tensor([True, False, True]))
    mean.backward()
    assert mean == 6 and values.grad.tolist() == [0.5, 0, 0.5]
    assert mean_over_all(values, torch.zeros(3, dtype=torch.bool)) == 0
