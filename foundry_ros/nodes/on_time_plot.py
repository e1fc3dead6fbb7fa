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

"""The picture of :mod:`foundry_ros.nodes.on_time`."""

from pathlib import Path
from typing import Any, Dict, List

import matplotlib
matplotlib.use('Agg')
from matplotlib import pyplot  # noqa: E402 the backend is chosen first

PANELS = (('on_time', 'clouds on time', 100, '%'), ('age_p95', 'age of results, p95', 1, 'ms'),
          ('tokens', 'tokens an object, mean', 1, ''), ('right', 'things named rightly', 100, '%'))


def draw(rows: List[Dict[str, Any]], period_ms: float, path: Path):
    """
    Draw a column for each thing played, a curve for each budget over the load.

    :param rows: as written to ``on_time.json``.
    :param period_ms: between clouds.
    """
    plays = list(dict.fromkeys(row['play'] for row in rows))
    budgets = list(dict.fromkeys(row['budget'] for row in rows))
    figure, axes = pyplot.subplots(len(PANELS), len(plays), squeeze=False, sharex=True,
                                   sharey='row', figsize=(1 + 3 * len(plays), 9.5))
    for column, play in enumerate(plays):
        axes[0, column].set_title(play, fontsize=10)
        axes[-1, column].set_xlabel('load by others [% of a core]')
        for line, (key, title, scale, unit) in zip(axes[:, column], PANELS):
            if column == 0:
                line.set_ylabel(f'{title} [{unit}]' if unit else title)
            for budget in budgets:
                mine = [row for row in rows if row['play'] == play and row['budget'] == budget
                        and row[key] is not None]
                line.plot([row['load'] for row in mine], [scale * row[key] for row in mine],
                          marker='o', linewidth=2.5 if budget == 0 else 1.2,
                          color='tab:red' if budget == 0 else None,
                          label='controller' if budget == 0 else f'{budget} tokens')
            line.grid(alpha=0.3)
        axes[0, column].axhline(95, color='grey', linestyle=':')
        axes[1, column].axhline(period_ms, color='grey', linestyle=':')
        axes[2, column].set_yscale('log', base=2)
    axes[1, 0].set_yscale('log')
    axes[0, 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
