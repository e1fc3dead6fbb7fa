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

"""A study of many runs: trained where missing, resumed, measured, printed without torch."""

import json
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest
import yaml

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from filelock import FileLock  # noqa: E402, I100
from test_training_run import overrides, root  # noqa: E402, F401, I100
from training.__main__ import main  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.study import published, runs, tables, train  # noqa: E402
from training.tasks import scores  # noqa: E402

SMALL = Path('training/configs/small')
SIZE = Size(width=16, depth=2, heads=2, tokenizer='lean', first=(8, 8), second=(16,))


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    """Make a teacher's checkpoint, of random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('teacher') / 'last.ckpt'
    state = {f'model.backbone.{k}': v for k, v in Backbone(SIZE).state_dict().items()}
    torch.save({'state_dict': state}, path)
    return path


@pytest.fixture
def study(teacher, tmp_path, tmp_path_factory, root, monkeypatch):  # noqa: F811
    """Write the file of a study of next to nothing, whose stages run in this process."""
    monkeypatch.setattr('training.data.shapes.SIMULATED', {'box': 4})
    monkeypatch.setattr(train.Trainer, 'process', lambda _, arguments, log: (
        log.write_text('a log\n') and main(arguments)))
    tiny = [*overrides(tmp_path_factory.getbasetemp(), 'teacher'), f'pretrained={teacher}',
            'student.budgets=[1, 8]']
    mix = ["heads.begin=''", 'data.mix.whole=6', 'data.mix.single_view=6', 'data.mix.simulated=2',
           'data.mix.outliers=2', 'data.mix.parts=3', 'measure.clouds=1', 'budgets={1: 1, 8: 1}']
    text = {'output': str(tmp_path / 'out'), 'results': str(tmp_path / 'results'),
            'all': {'seeds': 2, 'budgets': [1, 64], 'finetune': [*tiny, *mix], 'distill': [
                *tiny, 'data.mix.modelnet40_train=6', 'data.mix.infomr=2']},
            'tables': {'both': {'title': 'Both', 'rows': ['any', 'labels']}},
            'runs': {'any': {'title': 'any budget'},
                     'labels': {'title': 'from labels', 'seeds': 1, 'stages': ['finetune'],
                                'finetune': {'set': ["distilled=''"]}}}}
    for run in text['runs'].values():
        for verb in ('distill', 'finetune'):
            run.setdefault(verb, {})['config'] = [str((SMALL / f'{verb}.yaml').resolve())]
    path = tmp_path / 'runs.yaml'
    path.write_text(yaml.safe_dump(text))
    return path


def reproduce(study, root, *more):  # noqa: F811
    return main(['reproduce', '--table', 'both', '--runs', str(study), '--data-root', str(root),
                 '--jobs', '1', *more])


def change(study, edit):
    """Edit the file of a study."""
    text = yaml.safe_load(study.read_text())
    edit(text)
    study.write_text(yaml.safe_dump(text))


def test_what_is_missing_is_trained_once_and_printed(study, root, tmp_path, capsys):  # noqa: F811
    assert reproduce(study, root, '--run') == 0
    said = capsys.readouterr().out
    order = [said.index(f'wrote {tmp_path}/results/{n}.json')
             for n in ('any_1', 'labels_1', 'any_2')]
    assert order == sorted(order)  # the first seed of all rows comes before the second
    found = json.loads((tmp_path / 'results/any_1.json').read_text())
    assert list(found['budgets']) == ['1', '64'] and set(found['configs']) == {
        'distill', 'finetune'}
    assert found['budgets']['1']['distillation_loss'] > 0
    assert found['sets']['modelnet40_test'] == {'shapes': 6, 'clouds': 60}
    assert set(found['seconds']) == {'distill', 'finetune', 'measure'}
    for stage in ('distill', 'finetune'):  # what trained it, and how fast
        assert set(found['trained'][stage]) == {'commit', 'machine', 'precision', 'seconds',
                                                'objects_per_second', 'waiting'}
    assert json.loads((tmp_path / 'results/labels_1.json').read_text())[
        'budgets']['1']['distillation_loss'] is None
    assert (tmp_path / 'results/README.md').read_text().count('| any budget |') == 2
    assert (tmp_path / 'results/both.png').stat().st_size > 1000
    assert reproduce(study, root, '--run') == 0
    said = capsys.readouterr().out
    assert '0 runs to do' in said and 'wrote' not in said and '2 of 2' in said
    change(study, lambda text: text['runs']['labels']['finetune']['set'].append('optimiser.lr=1'))
    assert reproduce(study, root, '--run') == 0
    said = capsys.readouterr().out
    assert 'labels 1: its configuration or its teacher has changed' in said
    assert '1 runs to do' in said
    path = tmp_path / 'results/any_2.json'  # as of another teacher
    found = json.loads(path.read_text())
    assert len(found['starts']) == 1
    path.write_text(json.dumps({**found, 'starts': dict.fromkeys(found['starts'], '0')}))
    assert reproduce(study, root, '--run') == 0
    said = capsys.readouterr().out
    assert 'any 2: its configuration or its teacher has changed' in said
    assert '1 runs to do' in said and json.loads(path.read_text())['starts'] == found['starts']


def test_a_stopped_run_goes_on(study, root, monkeypatch, capsys):  # noqa: F811
    whole, done = train.Trainer.process, []

    def failing(trainer, arguments, log):
        done.append((arguments[0], '--resume' in arguments))
        log.write_text('what went wrong')
        return 1 if arguments[0] == 'finetune' else whole(trainer, arguments, log)
    change(study, lambda text: text['runs']['any'].update(seeds=1))
    monkeypatch.setattr(train.Trainer, 'process', failing)
    assert reproduce(study, root, '--run') == 1
    said = capsys.readouterr()
    assert 'error: any 1: finetune failed (what went wrong)' in said.err and \
        'labels 1: finetune failed' in said.err
    assert done == [('distill', True), ('finetune', True), ('finetune', True)]
    monkeypatch.setattr(train.Trainer, 'process', lambda trainer, arguments, log: (
        done.append((arguments[0], '--resume' in arguments)) or whole(trainer, arguments, log)))
    assert reproduce(study, root, '--run') == 0
    assert done[3:5] == [('finetune', True), ('measure', False)]  # distilled it is already


def test_a_run_that_another_program_has_is_left_to_it(study, root, tmp_path, capsys):  # noqa: F811
    change(study, lambda text: text['tables']['both'].update(rows=['labels']))
    (tmp_path / 'out/labels').mkdir(parents=True)
    with FileLock(tmp_path / 'out/labels/1.lock'):
        assert reproduce(study, root, '--run') == 0
    said = capsys.readouterr().out
    assert 'another program has taken it' in said and 'not run' in said


def test_some_rows_and_seeds_are_asked_for_alone(study, root, tmp_path, capsys):  # noqa: F811
    assert reproduce(study, root, '--run', '--rows', 'any', '--seeds', '1') == 0
    assert sorted(p.name for p in (tmp_path / 'results').glob('*_[12].json')) == ['any_1.json']
    capsys.readouterr()
    assert reproduce(study, root, '--run', '--rows', 'each') == 1
    assert "error: table both has no row 'each', but any, labels" in capsys.readouterr().err


def test_committed_tables_are_printed_without_torch():
    names = published.extended(runs.read(SMALL / 'runs.yaml')).tables
    assert {'budgets', '1', '2', '3', '4', '5', 'fewshot', 'specialists'} <= set(names)
    code = ('import sys; sys.modules["torch"] = None; from training.__main__ import main; '
            'sys.exit(max(main(["reproduce", "--table", t]) for t in sys.argv[1:]))')
    done = subprocess.run([sys.executable, '-c', code, *names], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('not run') + done.stdout.count('±') > len(names)


def test_an_unknown_table_is_one_line(capsys):
    assert main(['reproduce', '--table', 'none']) == 1
    assert "error: there is no table 'none', but budgets" in capsys.readouterr().err


def test_all_runs_can_be_made_and_learn_for_equally_many_steps():
    study = runs.read(SMALL / 'runs.yaml')
    epochs = {name: sum(c['trainer']['epochs'] for c in runs.resolved(study, run, 1).values())
              for name, run in study.runs.items()}
    assert epochs.pop('foundry_long') == epochs['any'] + 9  # as its title says
    assert epochs.pop('committed') == 0
    assert set(epochs.values()) == {epochs['any']}, epochs


def test_intervals_over_seeds_are_students():
    found = tables.figure([0.8, 0.82, 0.84], [0.05, 0.05, 0.05])
    assert (found.over, round(found.half, 4)) == ('seeds', 0.0497)  # 4.303 * 0.02 / sqrt(3)
    found = tables.figure([0.8, 0.82], [0.04, 0.06])
    assert (found.over, round(found.half, 4), found.text()) == ('shapes', 0.05, '81.0 ± 5.0*')


def test_differences_are_taken_seed_by_seed(monkeypatch):
    values = {'a': {1: 0.90, 2: 0.80, 3: 0.70}, 'b': {3: 0.60, 1: 0.80, 2: 0.70}, 'c': {}}
    monkeypatch.setattr(tables, 'results', lambda study, run: [
        {'seed': seed, 'budgets': {'4': {'complete': {'accuracy': v, 'interval': 0.03}}}}
        for seed, v in values[run].items()])
    study = runs.Study(Path(), Path(), {k: k for k in 'abc'}, {})
    found = tables.difference(study, ['a', 4, 'b', 4], 'complete')
    assert found.text() == '10.0 ± 0.0' and found.seeds == 3  # the seeds differ by far more
    assert tables.difference(study, ['a', 4, 'c', 4], 'complete') is None


def test_differences_of_a_seed_are_taken_shape_by_shape(monkeypatch):
    rng = np.random.default_rng(0)
    hard = rng.random((400, 2)) < 0.3
    said = {'a': ~hard, 'b': ~hard}
    said['b'][:8, 0] = False
    monkeypatch.setattr(tables, 'results', lambda study, run: [
        {'seed': 1, 'clouds': 2, 'sets': {'modelnet40_test': {'shapes': 400}},
         'budgets': {'4': {'complete': {'accuracy': said[run].mean(), 'interval': 0.05,
                                        'right': scores.packed(said[run].ravel())}}}}])
    study = runs.Study(Path(), Path(), {k: k for k in 'ab'}, {})
    found = tables.difference(study, ['a', 4, 'b', 4], 'complete')
    assert found.mean == said['a'].mean() - said['b'].mean() > 0
    assert found.over == 'shapes' and 0 < found.half < 0.01  # apart, each is known to 0.05


def test_some_clouds_of_each_shape_and_kind_are_measured():
    single = np.array([False, False, False, True, True] * 3)
    rows = scores.some(single, np.repeat(np.arange(3), 5), 2)
    assert rows.tolist() == [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14]
