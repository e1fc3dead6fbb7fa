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

"""A bundle beside the one that it is to replace: paired differences, printed by budget."""

import numpy as np
import pytest

pytest.importorskip('torch', reason='the training side needs torch')

from mock_bundle import make_bundle  # noqa: E402, I100
from training.tasks import compare  # noqa: E402


def test_what_is_better_and_worse_is_told(tmp_path, monkeypatch, capsys):
    old, new = (make_bundle(tmp_path / name, {'name': name}) for name in ('old', 'new'))
    monkeypatch.setattr(compare, 'Student', lambda bundle, *_: bundle.name)

    def measured(config, bundle, student, budget):
        right = {'old': 0.5, 'new': 0.75}[student]
        return {'complete': np.full(8, right), 'single_view': np.full(8, 1 - right),
                'parts': np.array([right, 0.6])}
    monkeypatch.setattr(compare, 'measured', measured)
    compare.run({'bundle': {'before': old, 'output': new, 'threads': 1}})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('old ') and '→ new ' in lines[0]
    assert ('| 1 | 50.0 → 75.0 (+25.0 ± 0.0) | 50.0 → 25.0 (-25.0 ± 0.0) | '
            '55.0 → 67.5 (+12.5 ± ') in '\n'.join(lines)
    assert len([x for x in lines if x.startswith('| ') and '→' in x]) == 7
