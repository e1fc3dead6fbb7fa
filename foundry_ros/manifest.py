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

"""What a bundle's ``manifest.yaml`` has to say, checked value by value."""

from collections import Counter
import re
import reprlib
from typing import Any, Dict, Tuple

from foundry_ros.config import MODES, TOKEN_BUDGETS
from foundry_ros.pointcloud2 import one_line
from foundry_ros.tokens import GROUPS, NEIGHBOURS, POINTS

MAX_NAME = 100
MAX_EDGE = 1e6
_KEYS = {
    'name': str, 'version': str, 'classes': list, 'parts': list, 'part_classes': dict,
    'points': int, 'groups': int, 'neighbours': int, 'up_axis': str, 'token_budgets': list,
    'score_temperature': float, 'class_sizes': dict, 'opset': int, 'sha256': str,
    'training_data': (str, list, dict), 'licence': str, 'accuracy': dict,
}
_FIXED = {'points': POINTS, 'groups': GROUPS, 'neighbours': NEIGHBOURS}


class BundleError(ValueError):
    """A model bundle that cannot be used, in one line that says what to do."""

    def __init__(self, text: str):
        """Keep to one line of bearable length, whatever of the bundle is quoted in it."""
        super().__init__(one_line(text, 600))


def checked(manifest: Any) -> Dict[str, Any]:
    """
    Check a manifest.

    :param manifest: what its YAML says, whatever that is.
    :return: the fields of :class:`foundry_ros.bundle.Bundle` that come from it.
    :raises BundleError: the first thing that is missing or cannot be.
    """
    if not isinstance(manifest, dict):
        raise BundleError('manifest.yaml is no mapping of keys to values')
    missing = [key for key in _KEYS if key not in manifest]
    if missing:
        raise BundleError(f'manifest.yaml lacks {", ".join(missing)}')
    for key, kind in _KEYS.items():
        _check_type(key, manifest[key], kind)
    for key, value in _FIXED.items():
        if manifest[key] != value:
            raise BundleError(f'{key} is {_shown(manifest[key])}, but this version works with '
                              f'{value}')
    if manifest['up_axis'] not in ('+z', 'z'):
        raise BundleError(f'up_axis is {_shown(manifest["up_axis"])}, but objects are given with '
                          '+z up: export the model again')
    if not 0.01 <= manifest['score_temperature'] <= 100:
        raise BundleError('score_temperature must be from 0.01 to 100, not '
                          f'{_shown(manifest["score_temperature"])}')
    if not re.fullmatch('[0-9a-fA-F]{64}', manifest['sha256'].strip()):
        raise BundleError('sha256 must be 64 hexadecimal digits, not '
                          f'{_shown(manifest["sha256"])}')
    version = manifest['version']
    version = version if isinstance(version, str) else _shown(version)
    for key, text in (('name', manifest['name']), ('version', version)):
        _names(key, [text])
    classes, parts = (_names(key, manifest[key]) for key in ('classes', 'parts'))
    if not classes:
        raise BundleError('classes is empty')
    _check_type('mode_classes', manifest.get('mode_classes', {}), dict)
    return {'name': manifest['name'], 'version': version, 'classes': classes, 'parts': parts,
            'part_classes': _part_classes(manifest['part_classes'], classes, parts),
            'class_sizes': _class_sizes(manifest['class_sizes'], classes),
            'mode_classes': _mode_classes(manifest.get('mode_classes', {}), classes),
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


def _names(key, values) -> Tuple[str, ...]:
    """Check a list of names: short text in one line, each once."""
    for value in values:
        if not (isinstance(value, str) and value.isprintable() and 0 < len(value) <= MAX_NAME):
            raise BundleError(f'{key}: {_shown(value)} is no name (text in one line, at most '
                              f'{MAX_NAME} letters)')
    name, count = Counter(values).most_common(1)[0] if values else ('', 0)
    if count > 1:
        raise BundleError(f'{key} lists {name} twice')
    return tuple(values)


def _part_classes(table, classes, parts):
    """Check which classes get which parts."""
    categories = {part.partition('/')[0] for part in parts if '/' in part}
    known = set(classes)
    if any('/' not in part for part in parts):
        raise BundleError('parts must be written category/part')
    for category, members in table.items():
        if category not in categories:
            raise BundleError(f'part_classes names the category {_shown(category)}, which no '
                              'part has')
        _check_members(f'part_classes: {category}', members, known)
    return {category: tuple(members) for category, members in table.items()}


def _check_members(where, members, known):
    """Check that a list holds nothing but classes."""
    if not isinstance(members, list):
        raise BundleError(f'{where} must list classes')
    for member in members:
        if not isinstance(member, str) or member not in known:
            raise BundleError(f'{where} lists {_shown(member)}, which is no class')


def _class_sizes(table, classes):
    """Check the metric sizes."""
    known = set(classes)
    for name, size in table.items():
        if name not in known:
            raise BundleError(f'class_sizes names {_shown(name)}, which is no class')
        numbers = isinstance(size, list) and len(size) == 2 and all(
            type(edge) in (int, float) for edge in size)
        if not numbers or not 0 < size[0] <= size[1] <= MAX_EDGE:
            raise BundleError(f'class_sizes: {name} must be [least, largest] longest edge in '
                              f'metres, not {_shown(size)}')
    return {name: (float(size[0]), float(size[1])) for name, size in table.items()}


def _mode_classes(table, classes):
    """Check which classes occur in a kind of scene."""
    for mode, members in table.items():
        if mode not in MODES:
            raise BundleError(f'mode_classes names {_shown(mode)}, which is none of '
                              f'{", ".join(MODES)}')
        if members == []:
            raise BundleError(f'mode_classes: {mode} must list classes')
        _check_members(f'mode_classes: {mode}', members, set(classes))
    return {mode: tuple(members) for mode, members in table.items()}


def _budgets(values):
    """Check the menu of token budgets."""
    menu = [budget for budget in TOKEN_BUDGETS if budget in values]
    if not values or values != menu:
        offered = ', '.join(str(b) for b in TOKEN_BUDGETS)
        raise BundleError(f'token_budgets must be among {offered} in this order, '
                          f'not {_shown(values)}')
    return tuple(menu)


def _shown(value) -> str:
    """Show a value of a manifest, however large or deep it is."""
    try:
        return reprlib.repr(value)[:60]
    except ValueError:  # Python does not write out integers of thousands of digits
        return 'a huge number'
