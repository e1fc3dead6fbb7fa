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
Parameter files: read, and written from the table of parameters.

Run ``python -m foundry_ros.parameter_file > config/perception.yaml`` after a change of
:mod:`foundry_ros.config`; ``--markdown`` prints the tables of the README.
"""

from dataclasses import fields
import sys
from typing import Any, Dict, List, Mapping

from foundry_ros.config import ConfigError, Params, table, update
from foundry_ros.plain_yaml import read_yaml, YamlError
import yaml

HEAD = """\
# The parameters of foundry_perception with their defaults, for the node and for replay.
# Made by: python -m foundry_ros.parameter_file > config/perception.yaml
/**:
  ros__parameters:
"""
WIDTH = 99


def load(path: str, params: Params = Params()) -> Params:
    """
    Read a parameter file: plain sections, or the form of ROS with ``ros__parameters``.

    :raises ConfigError: the file cannot be read, is no mapping, or names an unknown parameter.
    """
    try:
        with open(path, encoding='utf-8') as stream:
            tree = read_yaml(stream.read()) or {}
    except (OSError, UnicodeDecodeError, YamlError) as error:
        reason = ' '.join(str(error).split())
        raise ConfigError(f'cannot read the parameter file {path}: {reason}') from None
    if isinstance(tree, dict) and len(tree) == 1:
        inner = next(iter(tree.values()))
        if isinstance(inner, dict) and set(inner) == {'ros__parameters'}:
            tree = inner['ros__parameters']
    if not isinstance(tree, dict):
        raise ConfigError(f'{path} holds no parameters: it should be a mapping')
    changes = {}
    try:
        for name, value in tree.items():
            changes.update(_flat(name, value))
        return update(params, changes)
    except ConfigError as error:
        raise ConfigError(f'{path}: {error}') from None


def _flat(name, value) -> Dict[str, Any]:
    """Give what stands under one key of a parameter file by dotted names."""
    if isinstance(value, dict):
        return {f'{name}.{item}': inner for item, inner in value.items()}
    section = {key: row[1] for key, row in table().items() if key.startswith(f'{name}.')}
    if not section:
        return {name: value}
    if value is None:  # a section whose lines are all commented out
        return {}
    fits = [key for key, metadata in section.items() if value in (metadata['choices'] or ())]
    item = (fits or list(section))[0].partition('.')[2]
    raise ConfigError(f'{name} holds parameters, each by its name: write '
                      f'`{name}: {{{item}: {value if fits else "..."}}}`')


def as_params_file() -> str:
    """Give the defaults with their descriptions in the form that ROS and ``--params`` read."""
    lines, section = [], ''
    for name, (value, metadata) in table().items():
        group, _, item = name.rpartition('.')
        if group != section:
            lines += ['', f'    {group}:']
            section = group
        indent = '      ' if group else '    '
        lines += _comment(f'{metadata["description"]}{_allowed(value, metadata)}', indent)
        lines.append(f'{indent}{item}: {_plain(value)}')
    return HEAD + '\n'.join(lines) + '\n'


def as_markdown() -> str:
    """Give a table for each section."""
    lines = ['| `token_budget` | default | |', '|---|---|---|']
    titles = {f.name: type(getattr(Params(), f.name)).__doc__ for f in fields(Params)}
    section = ''
    for name, (value, metadata) in table().items():
        group, _, item = name.rpartition('.')
        if group != section:
            lines += ['', f'**`{group}.*`** {titles[group].strip()}', '',
                      '| parameter | default | |', '|---|---|---|']
            section = group
        fixed = ' Read-only: set it at start.' if metadata['read_only'] else ''
        lines.append(f'| `{item}` | `{_plain(value)}` | {metadata["description"]}'
                     f'{_allowed(value, metadata)}{fixed} |')
    return '\n'.join(lines) + '\n'


def _plain(value: Any) -> str:
    """Write a value as YAML in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=WIDTH).split('\n...')[0].strip()


def _allowed(value: Any, metadata: Mapping[str, Any]) -> str:
    """Say which values are allowed."""
    if metadata['choices'] is not None:
        return f' One of {", ".join(str(choice) for choice in metadata["choices"])}.'
    if metadata['low'] is None or isinstance(value, bool):
        return ''
    return f' {_plain(metadata["low"])} to {_plain(metadata["high"])}.'


def _comment(text: str, indent: str) -> List[str]:
    """Break a sentence into comment lines."""
    lines, line = [], f'{indent}#'
    for word in text.split():
        if len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = f'{indent}#'
        line += f' {word}'
    return [*lines, line]


if __name__ == '__main__':
    sys.stdout.write(as_markdown() if '--markdown' in sys.argv[1:] else as_params_file())
