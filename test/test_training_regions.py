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

"""A student of regions: who owns which group, one code for every budget, exact export."""

import pytest

torch = pytest.importorskip('torch')

from training.export import largest_differences, write_onnx  # noqa: E402
from training.models.backbone import Size  # noqa: E402
from training.models.regions import regions, RegionStudent  # noqa: E402
from training.models.student import MENU  # noqa: E402
from training.tasks.finetune import Recogniser  # noqa: E402

SMALL = Size(width=16, depth=2, heads=2, first=[8], second=[16], drop_path=0, dropout=0,
             tokenizer='lean')


def clouds(batch=3):
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(batch, 64, 32, 3, generator=generator) * 0.1,
            torch.randn(batch, 64, 3, generator=generator))


@pytest.mark.parametrize('budget', MENU)
def test_every_region_owns_its_seed_and_every_group_has_one_region(budget):
    own = regions(clouds()[1], budget)
    assert own.shape == (3, 64, budget) and bool((own.sum(2) == 1).all())
    assert bool((own[:, :budget].diagonal(dim1=1, dim2=2) == 1).all())


def test_coinciding_centres_leave_no_nan():
    groups, centers = clouds()
    student = RegionStudent(SMALL, 24).eval()
    for budget in MENU:
        made = student(groups, torch.zeros_like(centers), budget)
        assert bool(made.tokens.isfinite().all() and made.summary.isfinite().all())


@pytest.mark.parametrize('options', [{}, {'summary': 'encoded'}, {'summary': 'rebuilt'},
                                     {'near': False}])
def test_export_is_exact_at_every_budget(options, tmp_path):
    torch.manual_seed(0)
    model = Recogniser(RegionStudent(SMALL, 24, **options), 24, 5, 4).eval()
    write_onnx(model, tmp_path / 'model.onnx')
    found = largest_differences(model, tmp_path / 'model.onnx', *(x.numpy() for x in clouds()))
    assert max(found.values()) < 1e-4


def test_the_budget_matters_to_what_class_heads_read():
    groups, centers = clouds()
    student = RegionStudent(SMALL, 24).eval()
    one, all_of_them = (student(groups, centers, b).summary for b in (1, 64))
    assert not torch.allclose(one, all_of_them, atol=1e-3)


def test_unknown_summary_is_refused():
    with pytest.raises(ValueError, match='summary is one of'):
        RegionStudent(SMALL, 24, summary='none')
