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


"""The published recipe: a command for each row of the paper's tables, and what it reached."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training.__main__ import main  # noqa: E402, I100
from training.study import commands, published, runs  # noqa: E402

STUDY = published.extended(runs.read('training/configs/small/runs.yaml'))
PUBLISHED = {name: about['published'] for name, about in STUDY.tables.items()
             if 'published' in about}


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_command_of_the_published_recipe_has_its_configuration(name):
    for row in PUBLISHED[name]['rows']:
        for line in commands.of_row(row):
            if 'omniobject3d' in line or 'scanobjectnn' in line:
                continue  # they differ from modelnet40 by the data alone
            assert 'output' in commands.configuration_of(line)
    head, body = published.rows(STUDY, name)
    assert {len(row) for row in body} == {len(head)}


def test_the_paper_scale_names_a_command_for_each_row(capsys):
    assert main(['reproduce', '--table', 'specialists', '--scale', 'paper']) == 0
    said = capsys.readouterr().out
    assert 'Specialist-CLS, s = 16: ShapeNet55 75.09\n    python -m training distill --resume ' \
        '--config training/configs/paper/specialists/cls.yaml\n' in said
    assert main(['reproduce', '--table', 'budgets', '--scale', 'paper']) == 1
    assert "error: table 'budgets' is none of the paper's" in capsys.readouterr().err


def test_the_recipe_is_run_in_order_until_something_fails(monkeypatch, capsys):
    run = []
    monkeypatch.setattr(commands.subprocess, 'run', lambda words, check: (
        run.append(words[3]) or type('Done', (), {'returncode': len(run) == 3})))
    assert main(['reproduce', '--table', 'specialists', '--scale', 'paper', '--run']) == 1
    assert run == ['pretrain', 'finetune', 'finetune']
    assert 'error: this failed: python -m training finetune --resume --config training/configs/' \
        'paper/shapenetpart.yaml' in capsys.readouterr().err


def test_a_row_shows_what_it_is_about_of_what_was_measured(tmp_path, monkeypatch):
    row = next(r for r in PUBLISHED['1']['rows'] if r.get('shows') == 'random 16')
    line = next(text for text in commands.of_row(row) if 'modelnet40' in text)
    monkeypatch.setattr(commands, 'configuration_of', lambda _: {'output': tmp_path})
    assert commands.outcome(line, row['shows']) == ''
    (tmp_path / 'accuracy.json').write_text(json.dumps({'accuracy': {
        name: {'mean': mean, 'std': 0.01} for name, mean in (
            ('as trained', 0.9), ('random 16', 0.8), ('random 1', 0.1))}}))
    assert commands.outcome(line, row['shows']).endswith('here: random 16: accuracy 80.00 ± 1.00')
    assert 'as trained' in commands.outcome(line) and 'random 1:' in commands.outcome(line)


def test_what_few_shot_and_distillation_have_measured_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, 'configuration_of', lambda _: {'output': tmp_path})
    lines = [f'python -m training {verb} --config x.yaml' for verb in ('fewshot', 'distill')]
    assert [commands.outcome(line) for line in lines] == ['', '']
    (tmp_path / 'metrics.csv').write_text('epoch,loss,val_loss\n0,0.9,\n0,,0.5\n1,0.8,\n1,,0.25\n')
    assert commands.outcome(lines[1]) == '   # here: loss 0.2500'
    (tmp_path / 'fewshot.json').write_text(json.dumps({'accuracy': {
        '5way_10shot': {'folds': [0.9, 0.7], 'mean': 0.8, 'std': 0.1, 'runs': 2}}}))
    assert commands.outcome(lines[0]) == '   # here: 5way_10shot: accuracy 80.00 ± 10.00'
    assert commands.outcome(lines[0].replace('fewshot', 'describe')) == ''


@pytest.mark.parametrize('name', ['1', '2'])
def test_means_over_the_epochs_of_unfreezing_are_those_of_the_paper(name):
    others, checked = [], 0
    for row in PUBLISHED[name]['rows']:
        assert sorted(row.get('unfreeze', EVERY)) == EVERY
        for key in row['published'] if 'unfreeze' in row else ():
            if '±' in row['published'][key]:
                mean, deviation = (float(v) for v in row['published'][key].split(' ± '))
                values = [float(v[key]) for v in row['unfreeze'].values() if key in v]
                same = (np.mean(values), np.std(values, ddof=1)) == pytest.approx(
                    (mean, deviation), abs=0.016)
                others += [] if same else [(row['title'], key)]
                checked += 1
    # There the paper's own means are not those of its rows.
    assert others == ([] if name == '1' else [
        ('λ = 1e-5, frozen', 'obj_only'), ('λ = 1e-5, frozen', 'pb_t50_rs'),
        ('λ = 1e-5, unfrozen', 'obj_only')])
    assert checked == {'1': 88, '2': 368}[name]


EVERY = [0, 100, 150, 300]


def test_a_row_is_fine_tuned_for_each_epoch_of_unfreezing(tmp_path, monkeypatch):
    row = next(r for r in PUBLISHED['1']['rows'] if r['title'] == 'Foundry, s = 16, unfrozen')
    lines = [text for text in commands.of_row(row) if ' finetune ' in text]
    shown = [text for text in lines if 'omni' not in text and 'scan' not in text]
    made = [commands.configuration_of(text) for text in shown]
    assert [c['unfreeze'] for c in made] == [100, 0, 150, 100, 0, 150, 0, 300]
    assert len({c['output'] for c in made}) == len(made) and len(lines) == 20
    assert commands.published_at(row, shown[1]).endswith('let learn at epoch 0: 91.53')
    assert commands.published_at(row, shown[-1]).endswith('let learn at epoch 300: 81.90, 84.87')
    assert commands.means(row) == []
    monkeypatch.chdir(tmp_path)  # where nothing was run
    for config, reached in zip(made[:3], (0.9, 0.91, 0.92)):
        folder = Path(config['output'])
        folder.mkdir(parents=True)
        (folder / 'accuracy.json').write_text(json.dumps({'accuracy': {
            'as trained': {'mean': reached, 'std': 0.0}}}))
    monkeypatch.setattr(commands, 'configuration_of', dict(zip(shown, made)).get)
    monkeypatch.setattr(commands, 'of_row', lambda _: shown)
    assert commands.means(row) == [
        'here, over 3 epochs of unfreezing: modelnet40 accuracy 91.00 ± 1.00']


def test_a_correlation_is_over_what_the_rows_of_another_table_reached(monkeypatch):
    known = {'gate_1em15': 0.9, 'gate_1em14': 0.8, 'gate_1em13': 0.7,  # it falls as lambda grows
             'gate_0': 0.0,   # the paper has none of it
             'gate_1em12': 0.95}  # of which one epoch is missing

    def measured(line):
        network = line.partition('network=')[2].split(' ')[0]
        missing = network == 'gate_1em12' and 'unfreeze=150' in line
        if 'modelnet40.yaml' not in line or network not in known or missing:
            return {}
        return {'as trained': {'accuracy': {'mean': known[network], 'std': 0.0}}}

    monkeypatch.setattr(commands, 'measured', measured)
    found = [line.strip() for line in commands.lines_of(STUDY, '3') if 'here: ' in line]
    # Unfrozen ones alone were measured: they are in their own row and in that of both.
    assert found == ['# here: modelnet40 accuracy -1.0000 (3 rows)'] * 2
    asked = []
    monkeypatch.setattr(commands.subprocess, 'run', lambda words, check: (
        asked.append(' '.join(words)) or type('Done', (), {'returncode': 0})))
    commands.run(STUDY, '3')
    assert any('gate.lambda=1.0e-15' in line for line in asked)


@pytest.mark.parametrize('name', PUBLISHED)
def test_no_command_undoes_what_another_row_measured(name):
    """The same run with fewer ways to fewer tokens would leave out what was measured."""
    ways = {}
    lines = [line for row in PUBLISHED[name]['rows'] for line in commands.of_row(row)
             if ' finetune ' in line and 'omniobject3d' not in line]
    for line in dict.fromkeys(lines):  # as they are run
        config = commands.configuration_of(line)
        asked = {(kind, value) for kind, values in config['reduce'].items()
                 if isinstance(values, list) for value in values}
        assert ways.setdefault(config['output'], set()) <= asked
        ways[config['output']] = asked
