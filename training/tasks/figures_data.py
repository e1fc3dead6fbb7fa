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

"""What the pictures show: shapes, a student and its teacher, and what both say of them."""

from copy import deepcopy
from functools import cached_property
from typing import Dict, List, NamedTuple

from foundry_ros import tokens as robot_tokens
from foundry_ros.tokens import GROUPS
import numpy as np
import torch
from torch import nn

from training.config import ConfigError, merged
from training.data import sets
from training.models.backbone import Backbone, pool
from training.models.student import Rebuilt
from training.tasks import figures_style
from training.tasks.common import backbone_weights, size_of, weights
from training.tasks.distill import make_student

PREFIXES = ('student.', 'model.student.', 'model.network.')


class View(NamedTuple):
    """A student at a budget, as a picture shows it."""

    title: str
    student: nn.Module
    budget: int


def load_student(config, path: str) -> nn.Module:
    """Load a student of a checkpoint of distillation or fine-tuning; '': random weights."""
    student = make_student(config)
    if not path:  # for trying the pictures out
        return student.eval()
    for prefix in PREFIXES:
        state = weights(path, prefix)
        if state:
            student.load_state_dict(state)
            return student.eval()
    raise ConfigError(f'{path} holds no student')


def supertokens_of(student: nn.Module) -> int:
    """Give how many supertokens a student has at most: of regions, one for each group."""
    return student.supertokens.count if hasattr(student, 'supertokens') else GROUPS


class Subject:
    """
    A student, its teacher and the shapes that they are looked at with.

    :param config: ``figures`` names the checkpoint, the set, how many of its shapes are embedded,
        the classes of which one object each is drawn, and the budgets; ``others`` are students
        beside it: title, checkpoint, budget, and what of the configuration is ``over``-written.
    """

    def __init__(self, config):
        self.config, self.asked = config, config['figures']

    @cached_property
    def student(self):
        """Load the student."""
        return load_student(self.config, self.asked['checkpoint'])

    @cached_property
    def views(self) -> List[View]:
        """Give the student at each of its budgets, and those beside it at theirs."""
        made = [View(figures_style.tokens(b), self.student, b) for b in self.asked['budgets']]
        made += [View(other['title'], load_student(
            merged(deepcopy(self.config), other['over']), other['checkpoint']), other['budget'])
            for other in self.asked['others']]
        titles = [view.title for view in made]
        if len(set(titles)) < len(titles):
            raise ConfigError(f'figures.others: two are called {max(titles, key=titles.count)!r}')
        return made

    @property
    def supertokens(self) -> int:
        """Give how many supertokens the student has at most."""
        return supertokens_of(self.student)

    @cached_property
    def teacher(self) -> Backbone:
        """Load the teacher."""
        teacher = Backbone(size_of(self.config['teacher']))
        if self.config['pretrained']:
            teacher.load_state_dict(backbone_weights(self.config['pretrained']))
        return teacher.eval()

    @cached_property
    def shapes(self):
        """Read the set that the pictures are drawn from."""
        return sets.read(self.asked['set'], self.config['data']['root'])

    @cached_property
    def objects(self) -> List[int]:
        """Find an object of each class that is asked for."""
        names = self.shapes.class_names
        unknown = [c for c in self.asked['classes'] if c not in names]
        if unknown:
            raise ConfigError(f'figures.classes: {self.asked["set"]} has no class {unknown[0]!r}')
        return [int(np.flatnonzero(self.shapes.labels == names.index(c))[0])
                for c in self.asked['classes']]

    @cached_property
    def sample(self) -> np.ndarray:
        """Draw the shapes that are embedded, fairly over the set."""
        count = min(self.asked['shapes'], len(self.shapes.labels))
        return np.random.default_rng(0).permutation(len(self.shapes.labels))[:count]

    def tokens(self, index) -> robot_tokens.Tokens:
        """Group shapes as the robot does."""
        return robot_tokens.tokenise([self.shapes.points[i] for i in index])

    def rebuilt(self, t: robot_tokens.Tokens, budget: int) -> Rebuilt:
        """Give what the student says of grouped shapes."""
        return self.seen(t, View('', self.student, budget))

    @torch.no_grad()
    def seen(self, t: robot_tokens.Tokens, view: View) -> Rebuilt:
        """Give what the student of a view says of grouped shapes."""
        return view.student(torch.from_numpy(t.groups), torch.from_numpy(t.centers), view.budget)

    @torch.no_grad()
    def taught(self, t: robot_tokens.Tokens) -> torch.Tensor:
        """Give the teacher's tokens (B, c, d) of grouped shapes, as the student rebuilds them."""
        return self.teacher(torch.from_numpy(t.groups), torch.from_numpy(t.centers))

    @cached_property
    def embedded(self) -> Dict[str, np.ndarray]:
        """Give the pooled features of the sample: the teacher's, then those of the views."""
        found: Dict[str, list] = {}
        for start in range(0, len(self.sample), 64):
            t = self.tokens(self.sample[start:start + 64])
            found.setdefault('teacher', []).append(pool(self.taught(t)).numpy())
            for view in self.views:
                found.setdefault(view.title, []).append(pool(self.seen(t, view).tokens).numpy())
        return {name: np.concatenate(rows) for name, rows in found.items()}
