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

"""Curves: loss while training, accuracy and cost against the budget, the gate against lambda."""

import csv
import json
from pathlib import Path
from typing import Dict, List

from matplotlib import pyplot as plt
from matplotlib.ticker import (FixedLocator, FuncFormatter, LogLocator, NullLocator,
                               PercentFormatter)
import numpy as np

from training.config import ConfigError
from training.tasks.describe import budgets_of, macs, network_of
from training.tasks.figures_style import budget_colour, FAINT, PARTS


def read_metrics(folder) -> Dict[str, np.ndarray]:
    """Read ``metrics.csv`` of a run: (n,) float a column, NaN where nothing was logged."""
    path = Path(folder) / 'metrics.csv'
    if not path.exists():
        raise ConfigError(f'{path} is missing; figures.runs names folders of runs')
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(row[key] or 'nan') for row in rows]) for key in rows[0]}


def smooth(values: np.ndarray, share: float = 0.03) -> np.ndarray:
    """Average over a window of a share of the whole, cut off at the ends."""
    half, at = max(1, int(len(values) * share / 2)), np.arange(len(values))
    total = np.concatenate([[0.0], np.cumsum(values)])
    first, last = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return (total[last] - total[first]) / (last - first)


def losses(runs: Dict[str, str]):
    """Draw the loss of each run, by budget where it was logged so, and what it fused."""
    figure, places = plt.subplots(1, len(runs), figsize=(4.2 * len(runs), 3.1), squeeze=False)
    for axes, (title, folder) in zip(places[0], runs.items()):
        metrics = read_metrics(folder)
        by_budget = sorted(int(k[5:]) for k in metrics if k.startswith('loss_')
                           and k[5:].isdigit())
        for budget in by_budget:
            _curve(axes, metrics, f'loss_{budget}', budget_colour(budget, by_budget),
                   f'{budget}', raw=False)
        if not by_budget:
            _curve(axes, metrics, 'loss', '#2f6da8', 'loss')
        axes.set(title=title, xlabel='step', yscale='log')
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
        axes.yaxis.set_minor_locator(NullLocator())
        if by_budget:
            axes.legend(title='tokens', ncols=2, fontsize=8)
        if 'fused' in metrics:
            other = axes.twinx()
            other.grid(False)
            _curve(other, metrics, 'fused', '#b5485d', 'fused')
            other.set(ylim=(0, 1.02), ylabel='tokens fused')
            other.yaxis.set_major_formatter(PercentFormatter(1))
    places[0][0].set_ylabel('loss')
    figure.tight_layout()
    return figure


def _curve(axes, metrics, key, colour, label, raw=True):
    """Draw one column, smoothed; a value repeated unchanged was not measured anew."""
    values, step = metrics[key], metrics['step']
    fresh = np.isfinite(values)
    fresh[1:] &= values[1:] != values[:-1]
    if raw:
        axes.plot(step[fresh], values[fresh], color=colour, alpha=0.18, linewidth=0.8)
    axes.plot(step[fresh], smooth(values[fresh], 0.06), color=colour, label=label, linewidth=1.5)


def accuracy(files: List[str]):
    """Draw accuracy against the budget, with 95 % intervals, of one or more results files."""
    figure, axes = plt.subplots(figsize=(5.2, 3.6))
    marks = iter('os^Dv')
    for path in files:
        found, mark = json.loads(Path(path).read_text()), next(marks)
        for kind, colour in (('complete', '#2f6da8'), ('single_view', '#e8923c')):
            budgets = sorted(int(b) for b in found['accuracy'])
            rows = [found['accuracy'][str(b)][kind] for b in budgets]
            middle = np.array([100 * r['accuracy'] for r in rows])
            half = np.array([100 * r['interval'] for r in rows])
            name = f'{Path(path).stem}, {kind.replace("_", " ")}'
            axes.fill_between(budgets, middle - half, middle + half, color=colour, alpha=0.13,
                              linewidth=0)
            axes.plot(budgets, middle, marker=mark, color=colour, markersize=5, label=name)
            for b, value in zip(budgets, middle):
                axes.annotate(f'{value:.1f}', (b, value), (0, 6), textcoords='offset points',
                              ha='center', fontsize=7.5, color=colour)
    _token_axis(axes, budgets)
    axes.set(ylabel='accuracy, %', title='Accuracy against the token budget')
    axes.legend(loc='center right')
    return figure


def _token_axis(axes, budgets):
    axes.set_xscale('log', base=2)
    axes.xaxis.set_major_locator(FixedLocator(budgets))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(b) for b in budgets])
    axes.set_xlabel('token budget')


def cost(config):
    """Draw what each budget costs, part by part: how far tokens alone compress."""
    network, budgets = network_of(config), {*budgets_of(config), *config['figures']['budgets']}
    counts = {str(budget): macs(network, {}, budget) for budget in sorted(budgets)}
    names = list(counts)
    figure, axes = plt.subplots(figsize=(5.2, 3.6))
    left = np.zeros(len(names))
    for part, colour in PARTS.items():
        width = np.array([counts[n].get(part, 0) / 1e6 for n in names])
        axes.barh(names, width, left=left, color=colour, label=part, height=0.7)
        left += width
    for name, total in zip(names, left):
        less = '' if total == left.max() else f'  ({left.max() / total:.1f}× less)'
        axes.annotate(f'{total:.0f}{less}', (total, name), (4, 0), textcoords='offset points',
                      va='center', fontsize=8)
    axes.set(xlabel='million multiply-accumulates an object', ylabel='tokens',
             title='Cost of each budget', xlim=(0, left.max() * 1.18))
    axes.grid(axis='y', visible=False)
    axes.invert_yaxis()
    axes.legend(ncols=1, loc='upper right', fontsize=8)
    return figure


def gates(runs: Dict[str, str]):
    """Draw the last loss and the share fused of runs {lambda: folder} (Foundry, Figure 2)."""
    found = [(float(key), read_metrics(folder)) for key, folder in runs.items()]
    found.sort(key=lambda pair: pair[0])
    price = np.array([key for key, _ in found])
    last = {name: [np.nanmean(m[name][-max(1, len(m[name]) // 20):]) for _, m in found]
            for name in ('loss', 'fused')}
    figure, axes = plt.subplots(figsize=(5.2, 3.4))
    other = axes.twinx()
    other.grid(False)
    axes.plot(price, last['loss'], 'o-', color='#2f6da8')
    other.plot(price, last['fused'], 's-', color='#b5485d')
    axes.set_xscale('symlog', linthresh=max(price[price > 0].min(), 1e-30))
    axes.set_xticks(price, [f'{key:g}' for key in price], rotation=40, ha='right')
    axes.minorticks_off()
    axes.set(xlabel='λ of the gate')
    axes.set_ylabel('distillation loss', color='#2f6da8')
    other.set_ylabel('tokens fused', color='#b5485d')
    other.yaxis.set_major_formatter(PercentFormatter(1))
    other.axhline(1, color=FAINT, linewidth=0.8)
    return figure
