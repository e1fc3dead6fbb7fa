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

"""
Every parameter of the robot side, once: name, default, range and description.

The sections are the prefixes of the ROS parameters (``crop.max_range``), the sections of
``config/perception.yaml`` and those of the README.
"""

from dataclasses import dataclass, field, fields, replace
import difflib
import math
from typing import Any, Dict, Mapping, Tuple

TOKEN_BUDGETS = (1, 2, 4, 8, 16, 32, 64)
MODES = ('tabletop', 'room', 'lidar')


class ConfigError(ValueError):
    """A parameter that does not exist, or a value that it cannot take."""


def param(default: Any, description: str, low=None, high=None, choices=None, read_only=False):
    """
    Declare one parameter of a section.

    :param default: its default; the type of the parameter is the type of the default.
    :param description: one sentence for people, with the unit.
    :param low: smallest value allowed, or None.
    :param high: largest value allowed, or None.
    :param choices: the values allowed, or None for any.
    :param read_only: true where only a restart (of the node: a new configure) can change it.
    """
    metadata = {'description': description, 'low': low, 'high': high,
                'choices': choices, 'read_only': read_only}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class CropParams:
    """What part of the cloud is looked at, in the cloud's own frame."""

    min_range: float = param(0.02, 'Points nearer to the sensor than this are ignored [m].',
                             0, 1e3)
    max_range: float = param(0.0, 'Points farther from the sensor are ignored; 0 = by '
                             'objects.mode: 3, 8 or 60 [m].', 0, 1e3)
    min_x: float = param(-1e3, 'Region of interest, lower x [m].', -1e3, 1e3)
    max_x: float = param(1e3, 'Region of interest, upper x [m].', -1e3, 1e3)
    min_y: float = param(-1e3, 'Region of interest, lower y [m].', -1e3, 1e3)
    max_y: float = param(1e3, 'Region of interest, upper y [m].', -1e3, 1e3)
    min_z: float = param(-1e3, 'Region of interest, lower z [m].', -1e3, 1e3)
    max_z: float = param(1e3, 'Region of interest, upper z [m].', -1e3, 1e3)
    up: str = param('auto', "Which way is up in the cloud's frame: auto (the support surface's "
                    'normal), or a direction as "x,y,z" (camera optical frame: "0,-1,0").')
    up_frame: str = param('', 'Frame of tf whose z axis is up (base_link, map), for the node; it '
                          'counts where crop.up is auto; empty = none.')


@dataclass(frozen=True)
class ObjectsParams:
    """How objects are told from support surfaces and from each other."""

    mode: str = param('tabletop', 'Kind of scene: tabletop (objects standing on the dominant '
                      'surfaces), room (furniture on a floor), lidar (sparse sweep on ground).',
                      choices=list(MODES))
    voxel_size: float = param(0.0, 'Edge of the voxel grid for clouds that are not organised; '
                              '0 = by mode: 0.005, 0.03 or 0.2 [m].', 0, 1.0)
    min_points: int = param(0, 'Objects with fewer points are ignored; 0 = by mode: 80, 80 or '
                            '15.', 0, 1000000)
    min_size: float = param(0.0, 'Objects whose longest edge is shorter are ignored; 0 = by '
                            'mode: 0.02, 0.1 or 0.3 [m].', 0, 100)
    max_size: float = param(0.0, 'Objects whose longest edge is longer are ignored; 0 = by '
                            'mode: 1, 3 or 15 [m].', 0, 1000)
    max_objects: int = param(32, 'At most so many objects a cloud, nearest first.', 1, 1000)
    remove_surfaces: bool = param(True, 'Take support surfaces (table, floor) and walls off '
                                  'first.')
    surface_distance: float = param(0.0, 'Points nearer to a surface belong to it; 0 = by mode: '
                                    '0.006, 0.03 or 0.25 [m].', 0, 1.0)
    max_surfaces: int = param(0, 'At most so many support surfaces are looked for; 0 = by '
                              'mode: 3, 1 or 1.', 0, 10)
    max_height: float = param(0.0, 'Points farther above their support surface are ignored; 0 = '
                              'by mode: 0.7, 2.2 or 4 [m].', 0, 100)
    merge: bool = param(True, 'Join touching unknown pieces that make a whole with a name.')


@dataclass(frozen=True)
class TracksParams:
    """How the same object is followed from cloud to cloud."""

    enabled: bool = param(True, 'Give objects stable ids and smooth their scores.')
    frame: str = param('', 'Frame of tf that stands still (odom, map), for the node: objects are '
                       'followed in it while the sensor moves; empty = the frame of the cloud.')
    max_distance: float = param(0.10, 'An object that moved farther is another one [m].', 0, 100)
    smoothing: float = param(0.8, 'Largest weight of the past in the scores of an object, 0 = '
                             'none.', 0, 0.99)
    refresh_s: float = param(1.0, 'An object that has not changed is looked at again after this '
                             'time; 0 = in every cloud [s].', 0, 3600)
    max_missed: int = param(5, 'Clouds that an object may be missing before it is forgotten.',
                            0, 1000)


@dataclass(frozen=True)
class ModelParams:
    """Which student, and what its scores have to reach."""

    path: str = param('', 'Model bundle: a folder, or the name of a shipped one; empty = default.',
                      read_only=True)
    providers: list = param(['CPUExecutionProvider'], 'onnxruntime execution providers, '
                            'preferred first.', read_only=True)
    threads: int = param(0, 'Threads that share the objects of a cloud; 0 = as many as there are '
                         'cores to use, at most 4.', 0, 256, read_only=True)
    score_threshold: float = param(0.8, 'Objects whose best score is lower are called unknown.',
                                   0, 1)
    use_size: bool = param(True, 'Rule out classes whose metric size does not fit the object.')
    min_points: int = param(0, 'Objects with fewer points are called unknown; 0 = by mode: 150, '
                            '300 or 64.', 0, 1000000)
    max_batch: int = param(32, 'Objects that go through the student at once.', 1, 1024)


# What each of MODES stands for where a parameter is 0.
BY_MODE = {
    CropParams: {'max_range': (3.0, 8.0, 60.0)},
    ObjectsParams: {'voxel_size': (0.005, 0.03, 0.2), 'min_points': (80, 80, 15),
                    'min_size': (0.02, 0.1, 0.3), 'max_size': (1.0, 3.0, 15.0),
                    'surface_distance': (0.006, 0.03, 0.25), 'max_surfaces': (3, 1, 1),
                    'max_height': (0.7, 2.2, 4.0)},
    ModelParams: {'min_points': (150, 300, 64)}}


def by_mode(section, mode: str):
    """Fill in the parameters of a section that are 0 with what ``objects.mode`` stands for."""
    column = MODES.index(mode)
    return replace(section, **{name: values[column] for name, values in
                               BY_MODE[type(section)].items() if getattr(section, name) == 0})


@dataclass(frozen=True)
class BudgetParams:
    """How the token budget follows the load when ``token_budget`` is 0."""

    target_latency_ms: float = param(0.0, 'Time that a cloud may take; 0 = the measured period '
                                     'of the input [ms].', 0, 60000)
    target_load: float = param(0.85, 'Share of the machine that may be busy.', 0.05, 1)
    min: int = param(1, 'Smallest budget that the controller may choose.',  # noqa: A003
                     choices=list(TOKEN_BUDGETS))
    max: int = param(64, 'Largest budget that the controller may choose.',  # noqa: A003
                     choices=list(TOKEN_BUDGETS))
    dwell_s: float = param(1.0, 'Time between two steps up [s].', 0, 600)
    min_looks: int = param(2, 'Where fewer tokens are not enough, at least so many objects of a '
                           'cloud are looked at; the others keep their names.', 1, 1000)
    max_thinning: int = param(2, 'Where that is not enough either: at most every nth row and '
                              'column of a cloud is taken, or voxels are n times as large; 1 = '
                              'never.', 1, 4)


@dataclass(frozen=True)
class OutputParams:
    """What is published, and in which frame."""

    target_frame: str = param('', 'Frame of the results; empty = the frame of the cloud.')
    parts: bool = param(True, 'Publish the points of the objects with their parts.')
    markers: bool = param(True, 'Publish markers for RViz.')
    alternatives: int = param(3, 'Hypotheses listed for an object.', 1, 50)
    input_reliability: str = param('auto', 'QoS reliability asked of the input: auto = reliable '
                                   'where every publisher offers it, or else best_effort.',
                                   choices=['auto', 'best_effort', 'reliable'], read_only=True)
    max_input_age: float = param(0.0, 'Clouds older than this are dropped; 0 = never [s].',
                                 0, 3600)


@dataclass(frozen=True)
class Params:
    """All parameters of the pipeline and of the node."""

    token_budget: int = param(0, 'Tokens into which each object is squeezed: 0 = follow the '
                              'load, or one of 1, 2, 4, 8, 16, 32, 64.',
                              choices=[0, *TOKEN_BUDGETS])
    crop: CropParams = field(default_factory=CropParams)
    objects: ObjectsParams = field(default_factory=ObjectsParams)
    tracks: TracksParams = field(default_factory=TracksParams)
    model: ModelParams = field(default_factory=ModelParams)
    budget: BudgetParams = field(default_factory=BudgetParams)
    output: OutputParams = field(default_factory=OutputParams)


def table(params: Params = Params()) -> Dict[str, Tuple[Any, Mapping[str, Any]]]:
    """
    List every parameter by its dotted name.

    :return: ``{'crop.max_range': (value, metadata)}`` in the order of declaration; metadata as
        given to :func:`param`.
    """
    rows = {}
    for section in fields(params):
        value = getattr(params, section.name)
        if section.metadata:
            rows[section.name] = (value, section.metadata)
            continue
        for item in fields(value):
            rows[f'{section.name}.{item.name}'] = (getattr(value, item.name), item.metadata)
    return rows


def update(params: Params, changes: Mapping[str, Any]) -> Params:
    """
    Change parameters by their dotted names; the given ``params`` stay as they are.

    :raises ConfigError: unknown name (the nearest one is offered), wrong type, out of range, or
        a least value above its largest.
    """
    known = table(params)
    for name, value in changes.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1, 0.0)[0]
            raise ConfigError(f'there is no parameter {name!r}; did you mean {near!r}?')
        value = _checked(name, value, *known[name])
        section, _, item = name.partition('.')
        if item:
            value = replace(getattr(params, section), **{item: value})
        params = replace(params, **{section: value})
    _refuse_crossed(params)
    return params


def _refuse_crossed(params):
    """Raise ConfigError where the least is more than the most: nothing would be left."""
    mode = params.objects.mode
    filled = replace(params, crop=by_mode(params.crop, mode),
                     objects=by_mode(params.objects, mode))
    values = {name: value for name, (value, _) in table(filled).items()}
    for name in values:
        most = name.replace('.min', '.max')
        if most in values and values[name] > values[most]:
            raise ConfigError(f'{name} {values[name]} is more than {most} {values[most]}')


def _checked(name, value, default, metadata):
    """Return the value in the type of the default, or raise ConfigError."""
    kind = type(default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f'{name} takes a {kind.__name__}, not {value!r}')
    if kind is float and not math.isfinite(value):
        raise ConfigError(f'{name} takes a finite number, not {value!r}')
    if metadata['choices'] is not None and value not in metadata['choices']:
        options = ', '.join(str(c) for c in metadata['choices'])
        raise ConfigError(f'{name} takes one of {options}, not {value!r}')
    low, high = metadata['low'], metadata['high']
    if low is not None and not low <= value <= high:
        raise ConfigError(f'{name} takes {low} to {high}, not {value!r}')
    return value
