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

"""Features in colours and maps: t-SNE of objects, PCA of tokens on their cloud."""

from foundry_ros import tokens as robot_tokens
from matplotlib import pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from training.tasks.figures_data import Subject
from training.tasks.figures_style import board, cloud, FAINT, SUPERTOKENS


def embedding(subject: Subject):
    """Draw t-SNE maps of the teacher's features and of those of the views."""
    labels = subject.shapes.labels[subject.sample]
    commonest = np.argsort(-np.bincount(labels, minlength=1), kind='stable')[:12]
    found = subject.embedded
    across = len(found) if len(found) < 6 else 4
    down = -(-len(found) // across)
    figure, places = plt.subplots(down, across, figsize=(3.3 * across, 3.5 * down), squeeze=False)
    for axes in places.flat[len(found):]:
        axes.set_axis_off()
    for axes, (name, features) in zip(places.flat, found.items()):
        spread = (features - features.mean(0)) / features.std(0).clip(1e-6)
        narrow = PCA(min(50, *spread.shape), random_state=0).fit_transform(spread)
        place = TSNE(init='pca', perplexity=min(30, len(narrow) / 4),
                     random_state=0).fit_transform(narrow)
        other = ~np.isin(labels, commonest)
        axes.scatter(*place[other].T, s=7, color=FAINT, linewidths=0, alpha=0.6)
        for colour, label in zip(SUPERTOKENS, commonest):
            axes.scatter(*place[labels == label].T, s=14, color=colour, linewidths=0,
                         label=subject.shapes.class_names[label].replace('_', ' '))
        axes.set(title=name, xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
    figure.legend(*places[0][0].get_legend_handles_labels(), loc='lower center', ncols=6,
                  markerscale=1.6, bbox_to_anchor=(0.5, -0.1 / down))
    figure.tight_layout()
    return figure


def colours(subject: Subject):
    """
    Draw the first three principal components of each object's tokens as red, green and blue.

    The components are those of the teacher's tokens: what is rebuilt alike has the same colour.
    """
    t = subject.tokens(subject.objects)
    rows = {'teacher': subject.taught(t).numpy()}
    rows.update({v.title: subject.seen(t, v).tokens.numpy() for v in subject.views})
    figure, places = board(list(rows), subject.asked['classes'])
    for column, points in enumerate(t.points):
        basis = PCA(3).fit(rows['teacher'][column])
        low, high = np.percentile(basis.transform(rows['teacher'][column]), [3, 97], axis=0)
        for axes, found in zip(places[:, column], rows.values()):
            shade = (basis.transform(found[column]) - low) / (high - low).clip(1e-6)
            cloud(axes, points, robot_tokens.interpolate(
                shade.clip(0, 1).astype(np.float32), t.centers[column], points))
    return figure


def errors(subject: Subject):
    """Draw where the teacher's tokens are not rebuilt: squared error over their variance."""
    t = subject.tokens(subject.objects)
    wanted = subject.taught(t).numpy()
    spread = wanted.var(axis=(0, 1)).mean()
    found = {v.title: np.square(subject.seen(t, v).tokens.numpy() - wanted).mean(2) / spread
             for v in subject.views}
    most = max(np.percentile(e, 98) for e in found.values())
    figure, places = board(list(found), subject.asked['classes'])
    for row, errors_of in zip(places, found.values()):
        for axes, error, center, points in zip(row, errors_of, t.centers, t.points):
            at = robot_tokens.interpolate((error / most)[:, None].astype(np.float32), center,
                                          points)[:, 0]
            cloud(axes, points, plt.get_cmap('YlOrRd')(0.1 + 0.9 * at.clip(0, 1))[:, :3])
            axes.text(0.98, 0.02, f'{100 * error.mean():.1f} %', transform=axes.transAxes,
                      ha='right', fontsize=7)
    return figure
