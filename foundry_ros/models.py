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
"""``models``: which model bundles there are, and whether each is whole and runs."""

import argparse
from pathlib import Path

from foundry_ros.bundle import Bundle, BundleError, default_bundle, load_bundle, shipped_bundles

# Accuracy on complete shapes and on single views, parts by mean IoU over shapes.
FIGURES = {'complete': ('complete', 'accuracy'), 'one view': ('single_view', 'accuracy'),
           'parts': ('part_miou', 'complete', 'miou_i')}


def add_arguments(parser: argparse.ArgumentParser):
    """Declare the options."""
    parser.add_argument('bundles', metavar='DIR', nargs='*',
                        help='bundles to verify (default: the shipped ones)')
    parser.add_argument('--default', action='store_true',
                        help='print the path of the default bundle and nothing else')


def run(args: argparse.Namespace) -> int:
    """
    List and verify bundles.

    :return: 0 if every bundle is fit for use, else 1.
    """
    if args.default:
        print(default_bundle())
        return 0
    paths = [Path(path) for path in args.bundles] or shipped_bundles()
    if not paths:
        raise _none_shipped()
    figures = ''.join(f'{name:>10}' for name in FIGURES)
    print(f'{"name":20}{"version":>9}{"classes":>9}{"parts":>7}{"MB":>7}{figures}  verified')
    problems = sum([not _show(path) for path in paths])
    return 1 if problems else 0


def _none_shipped() -> BundleError:
    """Give the error that asking for the default would give."""
    try:
        default_bundle()
    except BundleError as error:
        return error
    raise AssertionError('a default without bundles')


def _show(path: Path) -> bool:
    """Print a line about a bundle; tell whether it can be used."""
    from foundry_ros.student import Student
    try:
        bundle = load_bundle(path)
        Student(bundle, threads=1)
    except BundleError as error:
        print(f'{path.name:20}{"":53}  NOT USABLE: {error}')
        return False
    figures = ''.join(f'{accuracy(bundle, *keys):>10}' for keys in FIGURES.values())
    mark = ', default' if _is_default(path) else ''
    print(f'{bundle.name:20}{bundle.version:>9}{len(bundle.classes):9d}{len(bundle.parts):7d}'
          f'{len(bundle.model) / 1e6:7.1f}{figures}  yes{mark}: {path}')
    return True


def _is_default(path: Path) -> bool:
    try:
        return default_bundle().resolve() == path.resolve()
    except BundleError:
        return False


def accuracy(bundle: Bundle, *keys: str) -> str:
    """
    Give a figure of a bundle's stated accuracy at its largest budget, for people.

    :param keys: where it is below the budget, such as ``'complete', 'accuracy'``.
    :return: such as ``'87.1 %'``, or ``'-'`` where the manifest does not say.
    """
    value = bundle.manifest['accuracy'].get(bundle.token_budgets[-1])
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return f'{100 * value:.1f} %' if isinstance(value, float) else '-'
