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

"""Configuration: a YAML file, changed by dotted overrides such as ``optimiser.lr=5e-4``."""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Sequence

import yaml


class ConfigError(ValueError):
    """A configuration that cannot be read, or an override of something that is not in it."""


class RunError(RuntimeError):
    """A run that cannot go on."""


def load(paths, overrides: Sequence[str] = ()) -> Dict[str, Any]:
    """
    Read a configuration and apply overrides; a file may name another under ``base`` to extend.

    ``{name}`` in its ``output`` stands for the value of that key.

    :param paths: a file, or several, each laid over those before it.
    :param overrides: ``a.b=value``, the value in YAML; only keys that exist can be changed.
    """
    config: Dict[str, Any] = {}
    for path in [paths] if isinstance(paths, (str, Path)) else paths:
        config = merged(config, _read(Path(path)))
    for item in overrides:
        name, equals, value = item.lstrip('-').partition('=')
        *parents, key = name.split('.')
        node = config
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if not equals or not isinstance(node, dict) or key not in node:
            raise ConfigError(f'{item!r} is no override: {path} has no {name!r}')
        node[key] = _value(name, node[key], value)
    try:
        if 'output' in config:
            config['output'] = config['output'].format_map(config)
    except KeyError as error:
        raise ConfigError(f'{path}: output names {error}, which is no key') from None
    return config


def _value(name: str, before: Any, text: str) -> Any:
    """Read the value of an override, of the kind of the one before where that is a number."""
    try:
        value = yaml.safe_load(text)
        number = isinstance(before, (int, float)) and not isinstance(before, bool)
        # YAML reads 1e-3 as a string.
        value = float(value) if number and isinstance(value, str) else value
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f'{name}={text}: {text!r} cannot be read as a value like {before!r}'
                          ) from None
    if isinstance(before, dict) and before and not isinstance(value, dict):
        raise ConfigError(f'{name} is a section, of {", ".join(map(str, before))}: '
                          f'{name}.{next(iter(before))}=VALUE sets one of them')
    return value


def _read(path: Path) -> Dict[str, Any]:
    """Read a file upon its base."""
    try:
        config = deepcopy(_parsed(path.read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f'cannot read {path}: {" ".join(str(error).split())}') from None
    if 'base' in config:
        config = merged(_read(path.parent / config.pop('base')), config)
    return config


@lru_cache(maxsize=256)  # a table of the paper reads a few files some hundred times
def _parsed(text: str) -> Dict[str, Any]:
    return yaml.safe_load(text) or {}


def merged(base, over):
    """Lay ``over`` upon ``base``, mapping by mapping; both change."""
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = merged(base[key], value) if both else value
    return base
