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
``bench --page DIR``: the results in a folder as a page with pictures.

The folder holds what ``--output`` wrote there: ``network.json``, ``growth.json``, ``scenes.json``,
whichever there are. The pictures need matplotlib.
"""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

from foundry_ros import bench_growth, bench_network, bench_scenes
from foundry_ros.output import OutputError, write_file

PAGE = 'README.md'


class Chapter(NamedTuple):
    """A part of the page: its ``title``, where its results are and how they are laid out."""

    title: str
    command: str
    key: str
    table: Callable[[Any], str]


CHAPTERS = {
    'network': Chapter('The student beside other networks', 'bench --network FOLDER', 'networks',
                       bench_network.format_table),
    'growth': Chapter('A frame, by its objects and its points', 'bench --growth', 'growth',
                      bench_growth.format_table),
    'scenes': Chapter('Whole scenes as one sequence of tokens', 'bench --scenes', 'scenes',
                      bench_scenes.format_table)}


def write(folder) -> Path:
    """
    Write the page and its pictures.

    :return: the page.
    :raises OutputError: there are no results, or they cannot be read.
    """
    folder = Path(folder)
    found = {name: _read(folder / f'{name}.json', chapter.key)
             for name, chapter in CHAPTERS.items() if (folder / f'{name}.json').is_file()}
    if not found:
        raise OutputError(f'{folder} holds none of {", ".join(f"{n}.json" for n in CHAPTERS)}: '
                          f'write them by bench with --output {folder}/NAME.json')
    from foundry_ros import bench_plots
    drawn = {'network': bench_plots.networks, 'growth': bench_plots.growth,
             'scenes': bench_plots.scenes}
    lines = ['# Speed', '']
    for name, content in found.items():
        lines += _chapter(name, content, drawn[name](content, folder))
    page = folder / PAGE
    write_file(str(page), '\n'.join(lines).encode())
    return page


def _chapter(name, content: Dict[str, Any], pictures: List[str]) -> List[str]:
    """Lay out the results of a file."""
    chapter = CHAPTERS[name]
    machine = content['machine']
    return [f'## {chapter.title}', '',
            f'`python -m foundry_ros {chapter.command} --output DIR/{name}.json` on '
            f'{machine["processor"]}, onnxruntime {machine["onnxruntime"]}.', '',
            *(f'![{chapter.title}]({picture})\n' for picture in pictures),
            '```', chapter.table(content[chapter.key]), '```', '']


def _read(path: Path, key: str) -> Dict[str, Any]:
    """Read a file of results."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        content[key], content['machine']['processor']
    except (ValueError, KeyError, TypeError):
        raise OutputError(f'{path} holds no results of bench: write it again') from None
    return content
