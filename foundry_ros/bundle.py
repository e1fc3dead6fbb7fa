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
A model bundle on disk: ``model.onnx`` and ``manifest.yaml``, checked before anything is used.

Which one is the default: the one bundle of the models folder (``share/foundry_ros/models`` of an
installation, ``resource/models`` of a checkout), or the one whose manifest says
``default: true`` where there are several.
"""

from dataclasses import dataclass, field
import hashlib
import math
import os
from pathlib import Path
import reprlib
import sys
from typing import Any, Dict, List, Mapping, Optional, Tuple

from foundry_ros.config import TOKEN_BUDGETS
from foundry_ros.onnx_check import offences
from foundry_ros.tokens import GROUPS, NEIGHBOURS, POINTS
import yaml

MAX_MANIFEST_BYTES = 1 << 20
MAX_MODEL_BYTES = 1 << 29
_KEYS = {
    'name': str, 'version': str, 'classes': list, 'parts': list, 'part_classes': dict,
    'points': int, 'groups': int, 'neighbours': int, 'up_axis': str, 'token_budgets': list,
    'score_temperature': float, 'class_sizes': dict, 'opset': int, 'sha256': str,
    'training_data': (str, list, dict), 'licence': str, 'accuracy': dict,
}
_FIXED = {'points': POINTS, 'groups': GROUPS, 'neighbours': NEIGHBOURS}


class BundleError(ValueError):
    """A model bundle that cannot be used, in one line that says what to do."""


@dataclass(frozen=True)
class Bundle:
    """
    A checked bundle: its ``manifest`` as written, the fields that the robot needs, the model.

    ``part_classes`` maps a category of parts to the classes whose objects get them,
    ``class_sizes`` a class to the (least, largest) plausible longest edge in metres.
    """

    path: Path
    name: str
    version: str
    classes: Tuple[str, ...]
    parts: Tuple[str, ...]
    part_classes: Mapping[str, Tuple[str, ...]]
    class_sizes: Mapping[str, Tuple[float, float]]
    token_budgets: Tuple[int, ...]
    score_temperature: float
    manifest: Mapping[str, Any] = field(repr=False)
    model: bytes = field(repr=False)


def load_bundle(path) -> Bundle:
    """
    Read and check a bundle; the model itself is tried by :class:`foundry_ros.student.Student`.

    :param path: its folder.
    :raises BundleError: anything missing, unreadable, of the wrong kind, or unsafe.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise BundleError(f'there is no model bundle at {folder}: name a folder that holds '
                          'model.onnx and manifest.yaml')
    text = _read(folder, 'manifest.yaml', MAX_MANIFEST_BYTES)
    model = _read(folder, 'model.onnx', MAX_MODEL_BYTES)
    if _real(folder, 'manifest.yaml') != _real(folder, 'model.onnx'):
        raise BundleError(f'{folder} links to files outside itself: copy model.onnx and '
                          'manifest.yaml into it')
    try:
        manifest = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f'{folder}/manifest.yaml is no YAML: {_one_line(error)}') from None
    try:
        fields = _checked(manifest)
        _check_model(model, manifest['sha256'])
    except BundleError as error:
        raise BundleError(f'model bundle {folder}: {error}') from None
    return Bundle(path=folder, manifest=manifest, model=model, **fields)


def _read(folder, name, limit):
    """Read a file of the bundle, not larger than ``limit`` bytes."""
    path = folder / name
    try:
        size = path.stat().st_size
        if size > limit:
            raise BundleError(f'{path} has {size} bytes, more than the {limit} allowed: this is '
                              'no model bundle of ours')
        return path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f'model bundle {folder}: {name} is missing; copy the whole bundle '
                          'again') from None
    except OSError as error:
        raise BundleError(f'cannot read {path}: {error.strerror}') from None


def _real(folder, name):
    """Give the folder that a file really lies in (colcon's symlink install links each file)."""
    return (folder / name).resolve().parent


def _shown(value) -> str:
    """Show a value of a manifest, however large or deep it is."""
    return reprlib.repr(value)[:60]


def _one_line(error):
    return ' '.join(str(error).split())


def _checked(manifest) -> Dict[str, Any]:
    """Check a manifest; give the fields of :class:`Bundle` that come from it."""
    if not isinstance(manifest, dict):
        raise BundleError('manifest.yaml is no mapping of keys to values')
    missing = [key for key in _KEYS if key not in manifest]
    if missing:
        raise BundleError(f'manifest.yaml lacks {", ".join(missing)}')
    for key, kind in _KEYS.items():
        _check_type(key, manifest[key], kind)
    for key, value in _FIXED.items():
        if manifest[key] != value:
            raise BundleError(f'{key} is {manifest[key]}, but this version works with {value}')
    if manifest['up_axis'] not in ('+z', 'z'):
        raise BundleError(f'up_axis is {manifest["up_axis"]!r}, but objects are given with '
                          '+z up: export the model again')
    if not (math.isfinite(manifest['score_temperature']) and manifest['score_temperature'] > 0):
        raise BundleError('score_temperature must be larger than 0')
    classes, parts = (_names(key, manifest[key]) for key in ('classes', 'parts'))
    if not classes:
        raise BundleError('classes is empty')
    return {'name': manifest['name'], 'version': str(manifest['version']),
            'classes': classes, 'parts': parts,
            'part_classes': _part_classes(manifest['part_classes'], classes, parts),
            'class_sizes': _class_sizes(manifest['class_sizes'], classes),
            'token_budgets': _budgets(manifest['token_budgets']),
            'score_temperature': float(manifest['score_temperature'])}


def _check_type(key, value, kind):
    """Refuse a value of the wrong type; whole numbers pass for fractions."""
    if key == 'version' and isinstance(value, (int, float)):
        return
    if kind is float and type(value) is int:
        return
    if isinstance(value, bool) or not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        words = {str: 'text', list: 'a list', dict: 'a mapping', int: 'a whole number',
                 float: 'a number'}
        raise BundleError(f'{key} in manifest.yaml must be '
                          f'{" or ".join(words[k] for k in kinds)}, not {_shown(value)}')


def _names(key, values):
    """Check a list of names: text, not empty, each once."""
    for value in values:
        if not isinstance(value, str) or not value:
            raise BundleError(f'{key} must list names, not {_shown(value)}')
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        raise BundleError(f'{key} lists {", ".join(sorted(twice))} twice')
    return tuple(values)


def _part_classes(table, classes, parts):
    """Check which classes get which parts."""
    categories = {part.partition('/')[0] for part in parts if '/' in part}
    if any('/' not in part for part in parts):
        raise BundleError('parts must be written category/part')
    for category, members in table.items():
        if category not in categories:
            raise BundleError(f'part_classes names the category {category!r}, which no part has')
        if not isinstance(members, list):
            raise BundleError(f'part_classes: {category} must list classes')
        for member in members:
            if member not in classes:
                raise BundleError(f'part_classes: {category} lists {member!r}, which is no class')
    return {category: tuple(members) for category, members in table.items()}


def _class_sizes(table, classes):
    """Check the metric sizes."""
    for name, size in table.items():
        if name not in classes:
            raise BundleError(f'class_sizes names {name!r}, which is no class')
        numbers = isinstance(size, list) and len(size) == 2 and all(
            isinstance(edge, (int, float)) and math.isfinite(edge) for edge in size)
        if not numbers or not 0 < size[0] <= size[1]:
            raise BundleError(f'class_sizes: {name} must be [least, largest] longest edge in '
                              f'metres, not {_shown(size)}')
    return {name: (float(size[0]), float(size[1])) for name, size in table.items()}


def _budgets(values):
    """Check the menu of token budgets."""
    menu = [budget for budget in TOKEN_BUDGETS if budget in values]
    if not values or values != menu:
        offered = ', '.join(str(b) for b in TOKEN_BUDGETS)
        raise BundleError(f'token_budgets must be among {offered} in this order, '
                          f'not {_shown(values)}')
    return tuple(menu)


def _check_model(model, expected):
    """Refuse a model that is not the one of the manifest, or not whole in itself."""
    actual = hashlib.sha256(model).hexdigest()
    if actual != expected.strip().lower():
        raise BundleError(f'model.onnx is damaged or not the one of this manifest: its sha256 is '
                          f'{actual[:12]}…, expected {expected.strip()[:12]}…; copy the bundle '
                          'again')
    try:
        found = offences(model)
    except ValueError as error:
        raise BundleError(f'model.onnx is no ONNX model: {error}') from None
    if found:
        raise BundleError(f'model.onnx {found[0]}: only a model that is whole in one file and '
                          'uses standard operators is loaded')


def models_folder() -> Optional[Path]:
    """Find the folder of the shipped bundles, that of a checkout before an installed one."""
    here = Path(__file__).resolve().parent.parent
    prefixes = [p for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    prefixes.append(sys.prefix)
    folders = [here / 'resource' / 'models']
    folders += [Path(prefix) / 'share' / 'foundry_ros' / 'models' for prefix in prefixes]
    return next((folder for folder in folders if folder.is_dir()), None)


def shipped_bundles() -> List[Path]:
    """List the folders of the shipped bundles, checked or not, by name."""
    folder = models_folder()
    found = sorted(folder.iterdir()) if folder else []
    return [path for path in found if (path / 'manifest.yaml').is_file()]


def default_bundle() -> Path:
    """
    Find the bundle that is used where none is named.

    :raises BundleError: there is none, or more than one.
    """
    found = shipped_bundles()
    if not found:
        raise BundleError(f'no model bundle is shipped in {models_folder() or "resource/models"}:'
                          ' name one with --model (in ROS: the parameter model.path)')
    marked = [path for path in found if load_bundle(path).manifest.get('default') is True]
    chosen = marked if len(found) > 1 else found
    if len(chosen) != 1:
        names = ', '.join(path.name for path in found)
        raise BundleError(f'{len(chosen)} of the bundles {names} are marked default: one has to '
                          'say "default: true" in its manifest.yaml')
    return chosen[0]
