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

"""The pictures of :mod:`foundry_ros.bench_page`."""

from pathlib import Path
from typing import Any, Dict, List

from foundry_ros.bench_frames import STAGES
from foundry_ros.bench_network import labels, of_label
import matplotlib
matplotlib.use('Agg')
from matplotlib import pyplot  # noqa: E402 the backend is chosen first

KINDS = {'complete': 'whole shapes', 'single_view': 'single views'}


def networks(content: Dict[str, Any], folder: Path) -> List[str]:
    """Draw accuracy against latency, and cost against the budget; give the files' names."""
    rows = content['networks'][next(iter(content['networks']))]
    known = any(row for budgets in content['accuracy'].values() for row in budgets.values())
    return [*([_accuracy(rows, content['accuracy'], folder)] if known else []),
            _cost(rows, folder)]


def _accuracy(rows, accuracy, folder):
    """Draw the accuracy of each budget over its time, objects one at a time and many."""
    batches = list(next(iter(rows.values()))['batches'])
    figure, axes = pyplot.subplots(1, len(batches), figsize=(4.2 * len(batches), 3.6),
                                   squeeze=False, sharey=True)
    for axis, batch in zip(axes[0], batches):
        for label in labels(rows):
            for (kind, words), style in zip(KINDS.items(), ('-', '--')):
                points = [(rows[name]['batches'][batch]['ms'], 100 * accuracy[label][str(b)][kind],
                           b) for b, name in of_label(rows, label).items()
                          if kind in accuracy.get(label, {}).get(str(b), {})]
                if points:
                    x, y, budgets = zip(*points)
                    axis.plot(x, y, style, marker='o', label=f'{label}, {words}')
                    for at in zip(budgets, x, y):
                        axis.annotate(str(at[0]), at[1:], fontsize=7, xytext=(3, 3),
                                      textcoords='offset points')
        axis.set(xscale='log', xlabel='ms an object, one thread', title=f'batch {batch}')
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel('accuracy [%]')
    if axes[0, 0].get_lines():
        axes[0, 0].legend(fontsize=7)
    return _save(figure, folder, 'accuracy_latency.png')


def _cost(rows, folder):
    """Draw how many times as fast as the teacher each budget is."""
    batches = list(next(iter(rows.values()))['batches'])
    figure, axis = pyplot.subplots(figsize=(6, 4))
    for label in labels(rows):
        mine = of_label(rows, label)
        for batch, style in zip(batches, ('-', '--', ':')):
            axis.plot(list(mine), [1 / rows[name]['batches'][batch]['ratio']
                                   for name in mine.values()], style, marker='o',
                      label=f'{label}, batch {batch}')
    axis.set(xscale='log', yscale='log', xlabel='token budget',
             ylabel='time over that of the teacher as published')
    axis.set_xscale('log', base=2)
    axis.grid(alpha=0.3, which='both')
    axis.legend(fontsize=7)
    return _save(figure, folder, 'cost_budget.png')


def growth(content: Dict[str, Any], folder: Path) -> List[str]:
    """Draw the stages of a frame over objects and over points, on top of each other."""
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4), sharey=True)
    for axis, (what, rows) in zip(axes, content['growth'].items()):
        x = [int(count) for count in rows]
        axis.stackplot(x, [[row[stage] for row in rows.values()] for stage in STAGES[:-1]],
                       labels=STAGES[:-1], alpha=0.8)
        axis.plot(x, [row['p95'] for row in rows.values()], 'k:', label='total, p95')
        axis.set_xscale('log', base=2)
        axis.set(xlabel=what)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel('ms a frame, median')
    axes[0].legend(fontsize=8, loc='upper left')
    return [_save(figure, folder, 'frame_growth.png')]


def scenes(content: Dict[str, Any], folder: Path) -> List[str]:
    """Draw seconds and memory over the points of a scene."""
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4))
    for title, rows in content['scenes'].items():
        there = {2 ** int(e): row for e, row in rows.items() if row}
        for axis, value in zip(axes, (lambda r: r['tokens_s'] + r['network_s'],
                                      lambda r: r['peak_mb'])):
            axis.plot(list(there), [value(row) for row in there.values()], marker='o',
                      label=title)
    for axis, words in zip(axes, ('seconds with tokens, one thread', 'peak memory [MB]')):
        axis.set_xscale('log', base=2)
        axis.set(yscale='log', xlabel='points of the scene', ylabel=words)
        axis.grid(alpha=0.3, which='both')
    axes[0].legend(fontsize=8)
    return [_save(figure, folder, 'scenes.png')]


def _save(figure, folder, name):
    figure.tight_layout()
    figure.savefig(folder / name, dpi=110)
    pyplot.close(figure)
    return name
