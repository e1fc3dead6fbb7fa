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
import os
from pathlib import Path
import stat
import sys
from typing import Any, List, Mapping, Optional, Tuple

from foundry_ros.manifest import BundleError, checked
from foundry_ros.onnx_check import offences
from foundry_ros.plain_yaml import read_yaml, YamlError

__all__ = ['Bundle', 'BundleError', 'default_bundle', 'load_bundle', 'models_folder',
           'shipped_bundles']

MAX_MANIFEST_BYTES = 1 << 18
MAX_MODEL_BYTES = 1 << 28


@dataclass(frozen=True)
class Bundle:
    """
    A checked bundle: its ``manifest`` as written, the fields that the robot needs, the model.

    ``part_classes`` maps a category of parts to the classes whose objects get them,
    ``class_sizes`` a class to the (least, largest) plausible longest edge in metres,
    ``mode_classes`` an ``objects.mode`` to the classes that occur there (all if it is not listed).
    """

    path: Path
    name: str
    version: str
    classes: Tuple[str, ...]
    parts: Tuple[str, ...]
    part_classes: Mapping[str, Tuple[str, ...]]
    class_sizes: Mapping[str, Tuple[float, float]]
    mode_classes: Mapping[str, Tuple[str, ...]]
    token_budgets: Tuple[int, ...]
    score_temperature: float
    manifest: Mapping[str, Any] = field(repr=False)
    model: bytes = field(repr=False)


def load_bundle(path) -> Bundle:
    """
    Read and check a bundle; the model itself is tried by :class:`foundry_ros.student.Student`.

    :param path: its folder, or the name of a shipped one.
    :raises BundleError: anything missing, unreadable, of the wrong kind, or unsafe.
    """
    folder = Path(path)
    if not folder.is_dir():
        shipped = {each.name: each for each in shipped_bundles()}
        if str(path) not in shipped:
            raise BundleError(f'there is no model bundle at {folder}: name a folder that holds '
                              'model.onnx and manifest.yaml'
                              + (f', or a shipped one: {", ".join(shipped)}' if shipped else ''))
        folder = shipped[str(path)]
    _refuse_links(folder)
    text = _read(folder, 'manifest.yaml', MAX_MANIFEST_BYTES)
    model = _read(folder, 'model.onnx', MAX_MODEL_BYTES)
    try:
        manifest = read_yaml(text)
        fields = checked(manifest)
        _check_model(model, manifest['sha256'])
    except YamlError as error:
        raise BundleError(f'{folder}/manifest.yaml is no YAML: {error}') from None
    except BundleError as error:
        raise BundleError(f'model bundle {folder}: {error}') from None
    return Bundle(path=folder, manifest=manifest, model=model, **fields)


def _refuse_links(folder):
    """
    Refuse files that are links out of the folder.

    Both may be links into one other folder that has them by the same names: colcon's symlink
    install makes such ones.
    """
    real = [Path(os.path.realpath(folder / name)) for name in ('manifest.yaml', 'model.onnx')]
    home = real[0].parent
    if real != [home / 'manifest.yaml', home / 'model.onnx']:
        raise BundleError(f'{folder} links to files outside itself: copy model.onnx and '
                          'manifest.yaml into it')


def _read(folder, name, limit):
    """Read a file of the bundle; its kind and size are looked at before."""
    path = folder / name
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise BundleError(f'{path} is no file; copy the whole bundle again')
        if state.st_size > limit:
            raise BundleError(f'{path} has {state.st_size} bytes, more than the {limit} allowed: '
                              'this is no model bundle of ours')
        with path.open('rb') as file:
            return file.read(limit)
    except FileNotFoundError:
        raise BundleError(f'model bundle {folder}: {name} is missing; copy the whole bundle '
                          'again') from None
    except OSError as error:
        raise BundleError(f'cannot read {path}: {error.strerror}') from None


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
