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


"""The paper's tables beside the small study: figures, commands, costs."""

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')
onnx = pytest.importorskip('onnx', reason='the training side needs onnx')

from test_training_run import overrides, root, run  # noqa: E402, F401, I100
from training import config as configuration  # noqa: E402
from training.config import ConfigError  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.models.heads import ClassHead, PartHead  # noqa: E402
from training.models.reduce.interpolation import interpolation  # noqa: E402
from training.study import (commands, cost, equal_cost, given, memory,  # noqa: E402
                            paper_cost, published, runs, tables)
from training.tasks import scores  # noqa: E402
from training.tasks.common import weights  # noqa: E402
from training.tasks.describe import describe, macs, network_of  # noqa: E402
from training.tasks.distill import make_student  # noqa: E402

SIZE = Size(width=16, depth=2, heads=2, tokenizer='lean', first=(8, 8), second=(16,))
STUDY = published.extended(runs.read('training/configs/small/runs.yaml'))
PUBLISHED = {name: about['published'] for name, about in STUDY.tables.items()
             if 'published' in about}


def test_what_table_5_counts_is_what_the_networks_cost():
    checked = 0
    for row in PUBLISHED['5']['rows']:
        if 'counted' in row:
            config = commands.configuration_of(commands.of_row(row)[0])
            made = describe({k: v for k, v in config.items() if k != 'heads'})
            budget = str(row['small']['budget']) if 'small' in row else ''
            counts = made['macs'].get(budget, list(made['macs'].values())[0])
            counts = counts['as_table_5'] * 64 / 1e9
            assert counts == pytest.approx(float(row['counted']), abs=0.006)
            if 'parameters' in row['published']:
                assert made['parameters']['total'] / 1e6 == pytest.approx(
                    float(row['published']['parameters']), abs=0.006)
            checked += 1
    assert checked == 26


def fake_results(values):
    """Make the figures of runs {name: (accuracy, loss)} at 16 tokens, two shapes a run."""
    def results(study, run):
        if run.name not in values:
            return []
        accuracy, loss = values[run.name]
        right = scores.packed(np.array([True, accuracy > 0.5]))
        kinds = {k: {'accuracy': accuracy, 'interval': 0.01, 'right': right}
                 for k in ('complete', 'single_view')}
        return [{'seed': 1, 'clouds': 1, 'sets': {'modelnet40_test': {'shapes': 2}}, 'budgets': {
            '16': {**kinds, 'distillation_loss': loss, 'parts': {
                'complete': {'miou_i': accuracy, 'miou_c': accuracy, 'interval': 0.06,
                             'shapes': [accuracy - 0.2, accuracy + 0.2]}}}}}]
    return results


def test_what_the_paper_claims_stands_beside_what_was_found(monkeypatch):
    monkeypatch.setattr(published.tables, 'results', fake_results(
        {'foundry': (0.9, 0.1), 'prototypes': (0.7, 0.3), 'larger_groups': (0.8, 0.2)}))
    monkeypatch.setattr(published.tables.fresh, 'learned', lambda *_: True)
    told = published.table(STUDY, '1')
    line = next(row for row in told if row.startswith('Foundry, s = 16, 16') and 'KMeans' in row)
    assert '20.0' in line and '13.8 (ShapeNet55)' in line
    assert any('over the 3 rows' in row and 'complete -1.00' in row for row in told)


def test_a_difference_of_parts_has_the_interval_of_the_shapes_differences(monkeypatch):
    monkeypatch.setattr(tables, 'results', fake_results(
        {'foundry': (0.9, 0.1), 'kmeans': (0.7, 0.3)}))
    found = tables.difference(STUDY, ('foundry', 16, 'kmeans', 16), 'parts')
    # Shapes differ by 0.4 within each run, and by 0.2 between the two runs each.
    assert found.mean == pytest.approx(0.2) and found.half == pytest.approx(0, abs=1e-9)


def test_a_network_takes_the_memory_of_its_weights(tmp_path):
    taken = []
    for name, rows in (('small', 96), ('large', 96 * 1024)):  # 96 numbers a row: 36 MiB
        weight = onnx.numpy_helper.from_array(np.ones((rows, 96), np.float32), 'weight')
        shape = [1, 64, 32, 3]
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node('ReduceSum', ['weight'], ['sum']),
             onnx.helper.make_node('Add', ['groups', 'sum'], ['out'])], name,
            [onnx.helper.make_tensor_value_info('groups', 1, shape)],
            [onnx.helper.make_tensor_value_info('out', 1, None)], [weight])
        model = onnx.helper.make_model(graph, ir_version=8, opset_imports=[
            onnx.helper.make_opsetid('', 17)])
        onnx.save(model, tmp_path / f'{name}.onnx')
        taken.append(memory.mebibytes(tmp_path / f'{name}.onnx', 16, 1))
    assert 0 < taken[0] < taken[1] - 30


def test_correlation_is_of_the_runs_that_are_there(monkeypatch):
    def figures(study, run):
        value = {'a': 0.9, 'b': 0.8, 'c': 0.7, 'older': 0.95}.get(run)
        kinds = {k: {'accuracy': value, 'interval': 0.01} for k in ('complete', 'single_view')}
        return [{'budgets': {'16': {**kinds, 'distillation_loss': 1 - value, 'parts': {
            'complete': {'miou_i': value, 'miou_c': value, 'interval': 0.06}}}}}] if value else []
    monkeypatch.setattr(published.tables, 'results', figures)
    monkeypatch.setattr(published.fresh, 'learned', lambda study, run, found: run != 'older')
    study = runs.Study(Path(), Path(), {k: k for k in ('a', 'b', 'c', 'd', 'older')}, {})
    cells = published.correlation(study, {'budget': '16', 'spearman': {
        0: 'a', 1e-12: 'b', 1e-10: 'c', 1e-9: 'older', 1.0: 'd'}})
    assert cells == ['16', '-1.00', '-1.00', '-1.00', '-1.00', '+1.00', '3 of 5 λ']


def test_of_a_run_the_correlation_is_of_its_budgets(monkeypatch):
    def row(value):
        kinds = {k: {'accuracy': value, 'interval': 0.01} for k in ('complete', 'single_view')}
        return {**kinds, 'distillation_loss': 1 - value, 'parts': {'complete': {
            'miou_i': 0.5, 'miou_c': -value, 'interval': 0.06}}}
    monkeypatch.setattr(published.tables, 'results', lambda study, run: [
        {'budgets': {'1': row(0.7), '4': row(0.8), '16': row(0.9)}}])
    monkeypatch.setattr(published.fresh, 'learned', lambda study, run, found: True)
    cells = published.correlation(STUDY, {'run': 'any', 'spearman': 'budgets'})
    assert cells == ['1 to 64', '+1.00', '+1.00', '-1.00', '–', '-1.00', '3 of 7 budgets']


def test_the_gate_is_trained_and_tuned_without_a_budget(root, monkeypatch, tmp_path,  # noqa
                                                        tmp_path_factory):
    monkeypatch.setattr('training.data.shapes.SIMULATED', {'box': 4})
    torch.manual_seed(0)
    teacher, small = tmp_path / 'teacher.ckpt', 'training/configs/small'
    torch.save({'state_dict': {f'model.backbone.{k}': v for k, v in
                               Backbone(SIZE).state_dict().items()}}, teacher)
    tiny = [*overrides(tmp_path_factory.getbasetemp(), 'teacher'), f'pretrained={teacher}']
    assert run('distill', tmp_path, root, '--config', f'{small}/foundry_gate.yaml', *tiny,
               f'output={tmp_path}/gate', 'data.mix.modelnet40_train=6', 'data.mix.infomr=2',
               'gate.lambda=0', 'unfreeze=0') == 0
    before = weights(tmp_path / 'gate/last.ckpt', 'student.gate.')
    assert run('finetune', tmp_path, root, '--config', f'{small}/finetune.yaml', '--config',
               f'{small}/_foundry_gate.yaml', *tiny, f'output={tmp_path}/tuned', 'heads.begin=',
               f'distilled={tmp_path}/gate/last.ckpt', 'data.mix.whole=6',
               'data.mix.single_view=6', 'data.mix.simulated=2', 'data.mix.outliers=2',
               'data.mix.parts=3') == 0
    after = weights(tmp_path / 'tuned/last.ckpt', 'model.student.gate.')
    torch.manual_seed(1)  # of the configuration: with lambda 0 nothing moves the gate
    first = make_student(configuration.load(f'{small}/foundry_gate.yaml', tiny)).gate.state_dict()
    assert all(torch.equal(before[k], after[k]) and torch.equal(before[k], first[k])
               for k in first)


@pytest.mark.parametrize('kind, wrong', [('classes', False), ('parts', False), ('looks', True)])
def test_a_specialist_learns_around_its_frozen_backbone(root, tmp_path, tmp_path_factory,  # noqa
                                                        kind, wrong, capsys):
    torch.manual_seed(0)
    teacher, state = tmp_path / 'teacher.ckpt', {}
    for name, module in (('student.backbone', Backbone(SIZE)), ('class_head', ClassHead(16, 4)),
                         ('part_head', PartHead(16, 4))):
        state.update({f'model.{name}.{k}': v for k, v in module.state_dict().items()})
    torch.save({'state_dict': state}, teacher)
    cache = tmp_path_factory.getbasetemp()
    assert run('distill', tmp_path, root, '--config', 'training/configs/small/specialist.yaml',
               *overrides(cache, 'teacher'), f'pretrained={teacher}', f'specialist={kind}',
               f'output={tmp_path}/out', 'data.mix.modelnet40_train=6', 'student.supertokens=4',
               'beside=[]') == wrong
    if wrong:
        assert "error: specialist is classes or parts, not 'looks'" in capsys.readouterr().err
        return
    after = weights(tmp_path / 'out/last.ckpt', 'student.')
    for key, value in after.items():
        if key.startswith('backbone.'):
            assert torch.equal(value, state[f'model.student.{key}']), key
    head = {'classes': 'class_head', 'parts': 'part_head'}[kind]
    moved = weights(tmp_path / 'out/last.ckpt', 'head.')
    assert any(not torch.equal(v, state[f'model.{head}.{k}']) for k, v in moved.items())
    kept = weights(tmp_path / 'out/last.ckpt', 'teachers_head.')
    assert all(torch.equal(v, state[f'model.{head}.{k}']) for k, v in kept.items()
               if 'num_batches' not in k)


def test_figures_of_another_configuration_say_so(monkeypatch):
    run, tables = STUDY.runs['any'], published.tables
    now = {'seed': 1, 'configs': tables.fresh.runs.essence(
        tables.fresh.runs.resolved(STUDY, run, 1))}
    now['starts'] = tables.fresh.all_starts(tables.fresh.runs.resolved(STUDY, run, 1))
    monkeypatch.setattr(tables, 'results', lambda *_: [now])
    assert tables.title(STUDY, run) == run.title
    now['configs']['distill']['student']['pooled'] = 123
    assert tables.title(STUDY, run) == f'{run.title} (OLDER CONFIGURATION)'


def test_what_a_student_does_not_read_does_not_change_its_network():
    fresh = published.tables.fresh
    config = {'model': {}, 'teacher': {}}
    keys = [fresh.network_key({**config, 'student': {**student, 'pooled': pooled}})
            for student in ({'gate': True}, {'encode': True}) for pooled in (1, 2)]
    assert keys[0] == keys[1] and keys[2] != keys[3]


def test_few_shot_figures_without_folds_are_measured_anew(monkeypatch):
    fresh, run = published.tables.fresh, STUDY.runs['only_1']
    needs = PUBLISHED['fewshot']['needs']
    monkeypatch.setattr(fresh, 'learned', lambda study, run, found: True)
    for folds, enough in (({'mean': 0.5}, False), ({'mean': 0.5, 'folds': [0.5]}, True)):
        found = {'budgets': {'1': {'few_shot': {'5way_5shot': {'complete': folds}}}}}
        assert fresh.current(STUDY, run, found, needs) is enough


def test_costs_of_another_network_are_not_shown(tmp_path):
    study, tables = replace(STUDY, results=tmp_path), published.tables
    cost = {'runs': {'any': {'16': {}}, 'foundry': {'16': {}}}, 'networks': {
        'any': tables.fresh.network_of(study, study.runs['any']), 'foundry': 'another'}}
    (tmp_path / 'cost.json').write_text(json.dumps(cost))
    assert set(tables.costs(study)) == {'any'}


@torch.no_grad()
def test_a_network_of_fewer_groups_is_given_them_and_costs_what_it_makes_of_them():
    config = runs.resolved(STUDY, STUDY.runs['plain_teacher'], 1)['finetune']
    model, network = cost.recogniser(config), network_of(config)
    assert given.shape(network, 'random 16') == (16, 32)
    assert given.shape(network, 'larger 16') == (16, 128) and given.shape(network, 16) is None
    all_of_them, few = macs(network, {}, 64), given.macs(network, 16, 32)
    assert few['tokenizer'] * 4 == all_of_them['tokenizer'] and few['cau'] == 64 * 16 * 128
    opened, _ = cost.session(model, 'random 8')
    inputs = memory.batch(opened, 8, 2)
    assert inputs['groups'].shape == (2, 8, 32, 3) and inputs['centers'].shape == (2, 64, 3)
    chosen = torch.from_numpy(inputs['centers'])
    x = model.student.backbone(torch.from_numpy(inputs['groups']), chosen[:, :8])
    wanted = model.part_head(interpolation(chosen, chosen[:, :8]) @ x)
    got = opened.run(['part_logits'], inputs)[0]
    assert np.abs(got - wanted.numpy()).max() < 1e-4


def test_the_papers_networks_are_measured_at_its_size_but_where_a_gate_decides(tmp_path):
    """Small ones stand for them here."""
    study = replace(STUDY, results=tmp_path / 'small')
    config = runs.resolved(STUDY, STUDY.runs['any'], 1)['finetune']
    plain = {'title': 'plain'}, {k: config[k] for k in ('model', 'data')}
    ours = {'title': 'ours', 'small': {'run': 'any', 'budget': 4}}, config
    gate = {'title': 'gate'}, {**config, 'student': {'gate': True, 'supertokens': 16}}
    fixed = {**config, 'student': {'gate': False, 'supertokens': 8}}
    assert paper_cost.asked({'title': 's = 8'}, fixed) == (fixed, 8)
    assert paper_cost.lines(study, *ours) == []
    paper_cost.measure(study, [plain, ours, gate], rounds=1)
    first, row = (paper_cost.lines(study, *which)[0] for which in (plain, ours))
    assert first.endswith(' 1.00 times as many as "plain"') and '1.23 M parameters' in first
    assert '1.78 M parameters' in row and 'OLDER' not in row
    assert "the gate's" in paper_cost.lines(study, *gate)[0]
    assert 'with --cost' in paper_cost.lines(study, {**ours[0], 'title': 'new'}, config)[0]
    wider = {**config, 'student': {**config['student'], 'pooled': 512}}
    assert 'OLDER NETWORK' in paper_cost.lines(study, ours[0], wider)[0]


def test_at_equal_cost_the_largest_budget_that_costs_no_more_is_taken(monkeypatch):
    times = {'any': {1: 1.0, 2: 1.1, 16: 1.8, 64: 3.5}, 'tome': {1: 0.9, 16: 1.77, 64: 3.0}}
    costs = {run: {str(b): {'milliseconds': ms, 'macs': {'total': 1e6 * b}}
                   for b, ms in row.items()} for run, row in times.items()}
    monkeypatch.setattr(tables, 'costs', lambda study: costs)
    study = replace(STUDY, tables={'t': {'rows': ['any', 'tome'], 'equal_cost': 'any'}})
    monkeypatch.setattr(tables, 'difference', lambda study, pairs, kind: tables.Figure(
        pairs[1] / 100, 0.01, 3, 'seeds'))
    _, *made = equal_cost.rows(study, 't', 'milliseconds')
    assert [row[1:5] for row in made] == [['1', '0.90', 'none', ''], ['16', '1.77', '16', '1.80'],
                                          ['64', '3.00', '16', '1.80']]
    assert made[1][5] == '16.0 ± 1.0' and {row[0] for row in made} == {STUDY.runs['tome'].title}
    assert equal_cost.rows(study, 't', 'macs')[3][1:4] == ['64', '64.00', '64']
    assert tables.ratio(costs, ('any', 64, 'tome', 64)) == '1.17'
    assert equal_cost.rows(replace(study, tables={'t': {'rows': ['tome']}}), 't', 'macs') == []


def test_a_goal_is_met_missed_or_in_doubt():
    def found(*pairs):
        return [tables.Figure(mean / 100, half / 100, 5, 'seeds') for mean, half in pairs]
    assert tables.goal({'least': 1}, found((1.5, 0.2), (1.1, 0.4))) == 'at least 1: met, met?'
    assert tables.goal({'most': 0.7}, found((0.9, 0.1), (0.9, 0.4))) == \
        'at most 0.7: missed, missed?'
    assert tables.goal({'most': 0.7}, [None, *found((0.5, 0.1))]) == 'at most 0.7: not run, met'
    with pytest.raises(ConfigError, match="not 'atleast'"):
        tables.goal({'atleast': 1}, [])
