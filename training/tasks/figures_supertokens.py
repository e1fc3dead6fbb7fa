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

"""Supertokens: which points feed which, how many are used, and for what."""

from matplotlib import colors
from matplotlib import pyplot as plt
import numpy as np
from sklearn.manifold import TSNE
import torch

from training.tasks.figures_data import Subject, supertokens_of
from training.tasks.figures_style import board, budget_colour, cloud, SUPERTOKENS

KEPT = np.array([0.13, 0.15, 0.17])


def assignment(subject: Subject):
    """
    Draw the assignment map: every point in the colour of its token's supertoken.

    Tokens that are kept as they are, beside the supertokens, are black.
    """
    views = [v for v in subject.views if v.budget < 64]
    t = subject.tokens(subject.objects)
    palette = np.array([colors.to_rgb(c) for c in SUPERTOKENS])
    figure, places = board([v.title for v in views], subject.asked['classes'])
    for row, view in enumerate(views):
        owner = subject.seen(t, view).back.numpy().argmax(2)
        supertokens = min(view.budget, supertokens_of(view.student))
        for column, axes in enumerate(places[row]):
            points = t.points[column]
            distance = np.square(points[:, None] - t.centers[column][None]).sum(2)
            mine = owner[column][distance.argmin(1)]
            cloud(axes, points, np.where((mine < supertokens)[:, None],
                                         palette[mine % len(palette)], KEPT))
            used = np.unique(owner[column][owner[column] < supertokens])
            axes.text(0.98, 0.02, f'{len(used)} of {supertokens}', transform=axes.transAxes,
                      ha='right', fontsize=7)
    return figure


@torch.no_grad()
def projected(subject: Subject):
    """
    Draw tokens and learned supertokens in their own space and after the projections of DSO.

    The two comparisons of Foundry's Figures 10 and 11: before, nothing says that they are near
    each other; after, a token goes to the supertoken that is most like it.

    :param subject: whose student has learned supertokens.
    """
    student, t = subject.student, subject.tokens(subject.objects)
    count = student.supertokens.count
    seen, _ = student.embed(torch.from_numpy(t.groups), torch.from_numpy(t.centers))
    of_objects, learned = seen.flatten(0, 1), student.supertokens.supertokens
    key, query = student.supertokens.key(of_objects), student.supertokens.query(learned)
    owner = (key @ query.T).argmax(1).numpy()
    palette = np.array([colors.to_rgb(c) for c in SUPERTOKENS])
    figure, places = plt.subplots(1, 2, figsize=(10, 4.8))
    for axes, title, pair in zip(places, ('before the projections', 'after them'),
                                 ((of_objects, learned), (key, query))):
        rows = torch.cat(pair).numpy()
        place = TSNE(init='pca', perplexity=min(30, len(rows) / 4), random_state=0
                     ).fit_transform(rows)
        axes.scatter(*place[:-count].T, s=9, linewidths=0, color=palette[owner % len(palette)])
        axes.scatter(*place[-count:].T, s=150, marker='*', edgecolors='black', linewidths=0.6,
                     color=palette[np.arange(count) % len(palette)])
        axes.set(title=title, xticks=[], yticks=[])
    figure.suptitle(f'Tokens of {len(subject.objects)} objects by the supertoken that they go to '
                    '(stars), by t-SNE')
    figure.tight_layout()
    return figure


def shares(subject: Subject, budget: int):
    """
    Count what supertokens are used for at a budget.

    :return: (n, s) share of each object's fused tokens that each supertoken owns, that is, is
        handed back to more than any other; (n,) how many would share out the same amount
        evenly, by what is handed back: the exponential of the entropy.
    """
    supertokens = min(budget, subject.supertokens)
    owned, even = [], []
    for start in range(0, len(subject.sample), 64):
        t = subject.tokens(subject.sample[start:start + 64])
        back = subject.rebuilt(t, budget).back.numpy()
        owner = back.argmax(2)
        counts = np.stack([(owner == i).sum(1) for i in range(supertokens)], axis=1)
        owned.append(counts / counts.sum(1, keepdims=True).clip(1))
        given = back[..., :supertokens].sum(1)
        given = given / given.sum(1, keepdims=True).clip(1e-9)
        even.append(np.exp(-(given * np.log(given.clip(1e-12))).sum(1)))
    return np.concatenate(owned), np.concatenate(even)


def use(subject: Subject):
    """Draw how many supertokens objects use at each budget, and which classes use which."""
    limit = min(16, subject.supertokens)
    budgets = [b for b in subject.asked['offered'] if b <= limit]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), width_ratios=[1, 1.6])
    for budget in budgets:
        share, even = shares(subject, budget)
        used = (share > 0).sum(1)
        count = np.bincount(used, minlength=limit + 1)[1:]
        left.plot(range(1, limit + 1), 100 * count / len(used), 'o-', markersize=4,
                  color=budget_colour(budget, budgets),
                  label=f'{budget}: {used.mean():.1f} own a token, evenly {even.mean():.1f}')
    left.set(xlabel='supertokens that own a token', ylabel='objects, %',
             title='How many are used', xlim=(0.5, limit + 0.5))
    left.legend(title='supertokens offered', fontsize=8, ncols=2, loc='upper center',
                bbox_to_anchor=(0.5, -0.13))
    labels = subject.shapes.labels[subject.sample]
    _by_class(right, share, labels, subject.shapes.class_names)
    right.set_title(f'For what: share of the tokens of each class, {budgets[-1]} offered')
    figure.colorbar(right.images[0], ax=right, label='%', fraction=0.04)
    figure.tight_layout()
    return figure


def _by_class(axes, share, labels, names):
    """Draw a table of shares (n, s): a row for each of the commonest classes."""
    count = np.bincount(labels)
    classes = [c for c in np.argsort(-count, kind='stable')[:20] if count[c]]
    table = np.stack([share[labels == c].mean(0) for c in classes])
    order = np.argsort(-table.mean(0), kind='stable')
    axes.imshow(100 * table[:, order], cmap='BuPu', aspect='auto', vmin=0)
    axes.grid(False)
    axes.set(xlabel='supertoken', xticks=range(len(order)), xticklabels=order + 1,
             yticks=range(len(classes)), yticklabels=[names[c].replace('_', ' ') for c in classes])
