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


"""What students of a study are measured by: fewer tokens, parts, few-shot."""

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip('torch', reason='the training side needs torch')
pytest.importorskip('lightning', reason='the training side needs lightning')

from training import config as configuration  # noqa: E402
from training.config import ConfigError  # noqa: E402
from training.models.backbone import Backbone, Size  # noqa: E402
from training.models.foundry import Foundry  # noqa: E402
from training.models.reduce import random_groups  # noqa: E402
from training.models.reduced import Progressive  # noqa: E402
from training.models.regions import RegionStudent  # noqa: E402
from training.study import commands, few_shot, published, runs  # noqa: E402
from training.tasks import few_shot_frozen, fewshot, measure, reduction  # noqa: E402
from training.tasks.common import backbone_weights  # noqa: E402
from training.tasks.finetune import Recogniser  # noqa: E402
from training.tasks.measure import look  # noqa: E402

SIZE = Size(width=16, depth=2, heads=2, tokenizer='lean', first=(8, 8), second=(16,))


def test_part_ious_are_averaged_over_clouds_shapes_and_categories():
    found = measure.ious(np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.0]),
                         np.array(['a', 'a', 'a', 'a', 'b', 'b']), np.array([0, 0, 4, 4, 7, 7]))
    assert found['miou_i'] == pytest.approx(4 / 6) and found['miou_c'] == pytest.approx(0.75)
    assert found['shapes'] == pytest.approx([0.3, 0.7, 1.0])
    assert 0 < found['interval'] < 0.7


def test_fewer_tokens_at_inference_alone():
    torch.manual_seed(0)
    groups, centers = torch.randn(2, 64, 32, 3) * 0.1, torch.randn(2, 64, 3)
    teacher = Progressive(SIZE, 16, 64).eval()
    with torch.no_grad():
        found = dict(look(teacher, groups, centers, [64, 'random 64', 'random 16', 'larger 4']))
        torch.testing.assert_close(found['random 64'].tokens, found[64].tokens)
        assert {tuple(r.tokens.shape) for r in found.values()} == {(2, 64, 16)}
        assert {tuple(r.summary.shape) for r in found.values()} == {(2, 32)}
        gate = Foundry(SIZE, 16, content=False).eval()
        found = dict(look(gate, groups, centers, ['ratio 0.0', 16, 'ratio 1.0', 64,
                                                  'as trained']))
        torch.testing.assert_close(found['ratio 0.0'].tokens, found[16].tokens)  # all fused
        torch.testing.assert_close(found['ratio 1.0'].tokens, found[64].tokens)  # none
        assert gate.ratio == 0.5


def test_each_cloud_has_a_random_draw_of_its_own():
    groups, centers = torch.randn(4, 64, 32, 3), torch.randn(4, 64, 3)
    generator = torch.Generator().manual_seed(0)
    drawn = [random_groups.draw(groups, centers, 16, generator) for _ in range(2)]
    which = [{tuple((c == centers[i]).all(1).nonzero().flatten().tolist()[0] for c in row)
              for i, row in enumerate(left)} for _, left in drawn]
    assert all(len(set(row)) == 16 for rows in which for row in rows)  # each once
    assert len(which[0] | which[1]) == 8
    for left, kept in drawn:  # a group goes with its centre
        assert all((centers[i] == kept[i, 3]).all(1).nonzero().item() == (
            groups[i] == left[i, 3]).all(2).all(1).nonzero().item() for i in range(4))


def test_few_shot_of_the_teacher_is_of_what_was_not_yet_tuned_on():
    files = [f'training/configs/small/{name}.yaml' for name in ('finetune', '_plain_teacher')]
    teacher = 'training/checkpoints/teacher.ckpt'
    student = measure.begun(configuration.load(files, [f'distilled={teacher}']))
    found, wanted = student.backbone.state_dict(), backbone_weights(teacher)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_few_shot_intervals_are_over_folds():
    folds = [0.4, 0.5, 0.6, 0.7]
    mean, half = few_shot.over_folds([reduction.over_runs(folds)] * 3).split(' ± ')
    low, high = stats.t.interval(0.95, 3, np.mean(folds), stats.sem(folds))
    assert (float(mean), float(half)) == pytest.approx((55.0, 50 * (high - low)), abs=0.05)


def test_few_shot_rows_are_compared_fold_by_fold():
    easy, hard = [{'folds': [0.9, 0.5, 0.7]}], [{'folds': [0.8, 0.4, 0.6]}]
    assert few_shot.difference([easy, hard]) == '10.0 ± 0.0'  # folds differ, alike in both
    both = few_shot.difference([easy * 2, [*hard, {'folds': [0.9, 0.6, 0.5]}]])
    low, high = stats.t.interval(0.95, 2, 0.2 / 3, stats.sem([0.05, 0.0, 0.15]))
    assert both == f'{20 / 3:.1f} ± {50 * (high - low):.1f}'
    assert few_shot.difference([easy, [None]]) == few_shot.difference([[], []]) == 'not run'


def test_few_shot_is_measured_at_the_tokens_that_are_asked_for():
    student = RegionStudent(SIZE, 16, pooled=8)
    assert fewshot.measured_at(student, {'fewshot': {'budget': 4}}).name == 'budget 4'
    assert fewshot.measured_at(student, {'fewshot': {'budget': None}}).value is None
    with pytest.raises(ConfigError, match='Backbone has no budgets'):
        fewshot.measured_at(Backbone(SIZE), {'fewshot': {'budget': 4}})
    table = published.extended(runs.read('training/configs/small/runs.yaml')).tables['fewshot']
    asked = {commands.configuration_of(line)['fewshot']['budget']: commands.configuration_of(line)[
        'output'] for row in table['published']['rows'] for line in commands.of_row(row)
        if ' fewshot ' in line and '_any' in line}
    assert set(asked) == {1, 16, 64} and len(set(asked.values())) == 3


def test_few_shot_folds_are_apart_and_what_is_clear_is_named():
    labels = np.repeat(np.arange(6), 12)
    known, asked = few_shot_frozen.fold(labels, 5, 5, 0)
    assert len(known) == 25 and len(asked) == 5 * few_shot_frozen.QUERIES
    assert not set(known) & set(asked) and len(set(labels[known])) == 5
    assert few_shot_frozen.fold(labels, 10, 5, 0) is None
    rng = np.random.default_rng(0)
    clear = np.eye(6)[labels] + rng.normal(0, 0.01, (72, 6))
    found = few_shot_frozen.accuracies({'complete': clear, 'single_view': clear * 0}, labels)
    assert list(found) == ['5way_5shot']
    assert found['5way_5shot']['complete'] == {'mean': 1.0, 'std': 0.0, 'runs': 10,
                                               'folds': [1.0] * 10}
    assert found['5way_5shot']['single_view']['mean'] < 0.5


@pytest.mark.parametrize('task, head', [('classes', 'class_head'), ('parts', 'part_head')])
def test_a_specialist_is_measured_with_the_head_that_was_distilled(
        tmp_path, monkeypatch, task, head):
    model, other = (Recogniser(Foundry(SIZE, 16, gate=False), 16, 5, 4) for _ in range(2))
    monkeypatch.setattr(measure, 'begun', lambda config: other.student)
    state = {f'student.{k}': v for k, v in other.student.state_dict().items()}
    path = tmp_path / 'last.ckpt'
    torch.save({'state_dict': state}, path)
    assert measure.with_own_head({'distilled': path}, model) is None  # a generalist has none
    state.update({f'head.{k}': v for k, v in getattr(other, head).state_dict().items()})
    torch.save({'state_dict': state}, path)
    made, found = measure.with_own_head({'distilled': path}, model)
    assert found == task and made.student is other.student
    for name, wanted in (('class_head', task == 'classes'), ('part_head', task == 'parts')):
        same = [torch.equal(a, b) for a, b in zip(getattr(made, name).parameters(),
                                                  getattr(other, name).parameters())]
        assert all(same) is wanted
