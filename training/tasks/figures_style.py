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

"""How the pictures look: type, colours, clouds seen from the front and above."""

from contextlib import contextmanager
from pathlib import Path
from typing import Sequence

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use('Agg')  # no display is needed

from matplotlib import pyplot as plt  # noqa: E402, I100

INK, FAINT = '#22262b', '#b9bec5'
# Sixteen colours that can be told apart side by side, then greys for what is left alone.
SUPERTOKENS = ['#1f77b4', '#ff7f0e', '#2ca02c', '#d62728', '#9467bd', '#8c564b', '#e377c2',
               '#bcbd22', '#17becf', '#0b3c5d', '#f4b400', '#7fc97f', '#fb9a99', '#5e3c99',
               '#a6761d', '#1b9e77']
PARTS = {'tokenizer': '#7a8794', 'position': '#b9bec5', 'dso': '#e8923c', 'encoder': '#2f6da8',
         'cau': '#57a773', 'gate': '#b5485d'}


@contextmanager
def style():
    """Draw in the style of the pictures."""
    with plt.rc_context({
            'font.size': 9, 'axes.titlesize': 10, 'axes.titleweight': 'bold',
            'axes.labelcolor': INK, 'axes.edgecolor': FAINT, 'text.color': INK,
            'xtick.color': INK, 'ytick.color': INK, 'axes.spines.top': False,
            'axes.spines.right': False, 'axes.grid': True, 'grid.color': '#eceef1',
            'axes.axisbelow': True, 'legend.frameon': False, 'figure.facecolor': 'white'}):
        yield


def save(figure, path: Path) -> None:
    """
    Write a figure under a temporary name, move it when whole, and close it.

    In 256 colours of its own it takes a quarter of the space, and looks the same.
    """
    part = path.with_suffix('.part.png')
    figure.savefig(part, dpi=150, bbox_inches='tight')
    with Image.open(part) as drawn:
        drawn.convert('RGB').quantize(256, dither=Image.Dither.NONE).save(part, optimize=True)
    part.replace(path)
    plt.close(figure)


def budget_colour(budget: int, menu):
    """Give the colour of a budget: from light to dark with the tokens."""
    place = sorted(menu).index(budget) / max(1, len(menu) - 1)
    return plt.get_cmap('viridis_r')(0.08 + 0.87 * place)


def look(points: np.ndarray, azimuth: float = 35.0, elevation: float = 20.0):
    """
    Look at an upright cloud (n, 3) from the front and above, without perspective.

    :return: across, up and depth, each (n,); larger depth is nearer.
    """
    a, e = np.radians(azimuth), np.radians(elevation)
    x = points[:, 0] * np.cos(a) + points[:, 1] * np.sin(a)
    away = -points[:, 0] * np.sin(a) + points[:, 1] * np.cos(a)
    up = points[:, 2]
    return x, up * np.cos(e) + away * np.sin(e), up * np.sin(e) - away * np.cos(e)


def cloud(axes, points: np.ndarray, colours: np.ndarray, size: float = 8.0) -> None:
    """Draw a cloud (n, 3) in colours (n, 3), nearer points over those behind, which fade."""
    x, y, depth = look(points)
    order = np.argsort(depth)
    near = (depth - depth.min()) / max(np.ptp(depth), 1e-9)
    faded = colours * (0.55 + 0.45 * near[:, None]) + 0.45 * (1 - near[:, None])
    axes.scatter(x[order], y[order], s=size * (0.6 + 0.6 * near[order]),
                 c=faded[order].clip(0, 1), linewidths=0)
    reach = 0.54 * max(np.ptp(x), np.ptp(y))
    axes.set_xlim((x.max() + x.min()) / 2 - reach, (x.max() + x.min()) / 2 + reach)
    axes.set_ylim((y.max() + y.min()) / 2 - reach, (y.max() + y.min()) / 2 + reach)
    axes.set_aspect('equal')
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def board(rows: Sequence[str], columns: Sequence[str], size: float = 1.55):
    """Give a figure with a place for a cloud in each row and column, which have titles."""
    figure, places = plt.subplots(
        len(rows), len(columns), figsize=(size * len(columns), size * len(rows)), squeeze=False,
        gridspec_kw={'wspace': 0.02, 'hspace': 0.02})
    for axes, title in zip(places[0], columns):
        axes.set_title(title.replace('_', ' '))
    for axes, title in zip(places[:, 0], rows):
        axes.set_ylabel(title, fontweight='bold')
    return figure, places


def tokens(budget: int) -> str:
    """Say a number of tokens."""
    return f'{budget} token' + 's' * (budget > 1)
