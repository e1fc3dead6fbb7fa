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
"""Bundles: what is whole is loaded, what is not is told in one line."""

import re

from foundry_ros import bundle as bundles
from foundry_ros.bundle import BundleError, default_bundle, load_bundle
from foundry_ros.onnx_check import offences
from foundry_ros.student import Student
from mock_bundle import externalise, make_bundle, make_model, MANIFEST
from onnx import TensorProto
import pytest


def refusal(path) -> str:
    """Load a bundle and its student; give the one line that says why not."""
    with pytest.raises(BundleError) as error:
        Student(load_bundle(path), threads=1)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_a_whole_bundle_gives_its_manifest(tmp_path):
    """Every field of the manifest arrives."""
    path = make_bundle(tmp_path / 'b', {'class_sizes': {'chair': [0.3, 1.5]}, 'version': 2})
    bundle = load_bundle(path)
    assert bundle.classes == tuple(MANIFEST['classes'])
    assert bundle.parts == tuple(MANIFEST['parts'])
    assert bundle.part_classes == {'chair': ('chair',), 'cup': ('cup',)}
    assert bundle.class_sizes == {'chair': (0.3, 1.5)}
    assert bundle.mode_classes == {}
    assert bundle.token_budgets == (1, 2, 4, 8, 16, 32, 64)
    assert bundle.version == '2'


def test_missing_folder_and_files(tmp_path):
    """Each missing thing is named."""
    assert 'no model bundle at' in refusal(tmp_path / 'nowhere')
    for name in ('model.onnx', 'manifest.yaml'):
        path = make_bundle(tmp_path / name)
        (path / name).unlink()
        assert f'{name} is missing' in refusal(path)


def test_every_key_is_needed(tmp_path):
    """A manifest without one of its keys names it."""
    for key in [*MANIFEST, 'sha256']:
        assert f'lacks {key}' in refusal(make_bundle(tmp_path / key, drop=[key]))


@pytest.mark.parametrize('key, value, said', [
    ('classes', 'chair', 'classes in manifest.yaml must be a list'),
    ('classes', [], 'classes is empty'),
    ('classes', ['cup', 'cup', 'a', 'b'], 'lists cup twice'),
    ('classes', [1, 2, 3, 4], 'classes: 1 is no name'),
    ('classes', ['a\nb', 'b', 'c', 'd'], 'is no name'),
    ('parts', ['x/' + 'y' * 999], 'at most 100 letters'),
    ('name', 'a\x1b[2J', 'is no name'),
    ('version', '', 'version'),
    ('points', 2048, 'points is 2048, but this version works with 1024'),
    ('points', '1024', 'must be a whole number'),
    ('groups', True, 'must be a whole number'),
    ('up_axis', '+y', 'objects are given with +z up'),
    ('token_budgets', [], 'must be among'),
    ('token_budgets', [3], 'must be among'),
    ('token_budgets', [8, 1], 'in this order'),
    ('score_temperature', 0.0, 'from 0.01 to 100'),
    ('score_temperature', float('nan'), 'from 0.01 to 100'),
    ('score_temperature', 10**400, 'from 0.01 to 100'),
    ('score_temperature', 'warm', 'must be a number'),
    ('class_sizes', {'tank': [1, 2]}, "'tank', which is no class"),
    ('class_sizes', {'cup': [2, 1]}, 'longest edge in metres'),
    ('class_sizes', {'cup': [1, 10**400]}, 'longest edge in metres'),
    ('class_sizes', {'cup': [True, True]}, 'longest edge in metres'),
    ('class_sizes', {'cup': 3}, 'longest edge in metres'),
    ('mode_classes', ['cup'], 'must be a mapping'),
    ('mode_classes', {'garden': ['cup']}, "'garden', which is none of tabletop, room, lidar"),
    ('mode_classes', {'room': []}, 'room must list classes'),
    ('mode_classes', {'room': ['tank']}, "'tank', which is no class"),
    ('parts', ['back', 'leg', 'seat', 'body', 'handle'], 'written category/part'),
    ('part_classes', {'plane': ['cup']}, "'plane', which no part has"),
    ('part_classes', {'cup': ['mug']}, "'mug', which is no class"),
    ('part_classes', {'cup': 'cup'}, 'must list classes'),
    ('part_classes', {'cup': [['cup']]}, 'which is no class'),
    ('sha256', '0' * 64, 'damaged'),
    ('sha256', 'b\n' * 32, '64 hexadecimal digits'),
])
def test_wrong_values(tmp_path, key, value, said):
    """A value that cannot be is told with what it should be."""
    assert said in refusal(make_bundle(tmp_path / 'b', {key: value}))


@pytest.mark.parametrize('text', [
    '- a\n- b\n', 'just words', 'a: [', '!!python/object:os.x {}', 'a: 2021-13-45', 'a: !!bool b',
    'a: !!timestamp b', '? [a]\n: b', 'a: ' + '9' * 5000])
def test_manifest_that_is_no_mapping(tmp_path, text):
    """Lists, text, broken YAML and Python objects are refused."""
    path = make_bundle(tmp_path / 'b')
    (path / 'manifest.yaml').write_text(text)
    assert 'manifest.yaml' in refusal(path)


@pytest.mark.parametrize('text', ['[' * 5000, '{a: ' * 5000])
def test_manifest_that_is_too_deep(tmp_path, text):
    """Nesting without end is refused."""
    path = make_bundle(tmp_path / 'b')
    (path / 'manifest.yaml').write_text(text)
    assert 'manifest.yaml is no YAML' in refusal(path)


def test_manifest_that_would_unfold_without_end(tmp_path):
    """Twenty-four levels of ten aliases each are told in a short line, at once."""
    path = make_bundle(tmp_path / 'b', drop=['classes'])
    levels = ['l0: &l0 [x]']
    levels += [f'l{i}: &l{i} [{", ".join(["*l" + str(i - 1)] * 10)}]' for i in range(1, 25)]
    text = (path / 'manifest.yaml').read_text()
    (path / 'manifest.yaml').write_text(text + '\n'.join(levels) + '\nclasses: *l24\n')
    assert 'is no name' in refusal(path)
    assert len(refusal(path)) < 300


@pytest.mark.parametrize('graph, said', [
    ({'neighbours': 16}, r'takes groups in the shape \(any, 64, 16, 3\)'),
    ({'batch': 1}, r'takes groups in the shape \(1, 64, 32, 3\)'),
    ({'groups_type': TensorProto.FLOAT16}, r'takes groups as tensor\(float16\)'),
    ({'inputs': ('a', 'b', 'c')}, 'has the inputs a, b, c'),
    ({'outputs': ('x', 'y', 'z')}, 'gives features as nothing at all'),
    ({'classes': 9}, r'class_logits in the shape \(2, 9\).*4 classes'),
    ({'parts': 2}, r'part_logits in the shape \(2, 64, 2\).*5 parts'),
    ({'operator': ('my.ops', 'Thing')}, 'custom operator my.ops:Thing'),
    ({'operator': ('', 'Thing')}, 'cannot load model.onnx'),
])
def test_models_that_do_not_match(tmp_path, graph, said):
    """Names, shapes, types, counts and operators are compared with the contract."""
    assert re.search(said, refusal(make_bundle(tmp_path / 'b', **graph)))


def test_weights_outside_the_folder(tmp_path):
    """Weights are never followed to another file."""
    path = make_bundle(tmp_path / 'b')
    externalise(path, '../stolen.bin')
    assert 'keeps weights in another file' in refusal(path)


def test_model_linked_from_elsewhere(tmp_path):
    """A model that is a link out of the folder is refused; a bundle linked as a whole is not."""
    real = make_bundle(tmp_path / 'real')
    odd = make_bundle(tmp_path / 'odd')
    (odd / 'model.onnx').unlink()
    (odd / 'model.onnx').symlink_to(real / 'model.onnx')
    assert 'links to files outside itself' in refusal(odd)
    installed = tmp_path / 'installed'
    installed.mkdir()
    for name in ('model.onnx', 'manifest.yaml'):
        (installed / name).symlink_to(real / name)
    assert load_bundle(installed).name == 'mock'


def test_too_large_to_be_read(tmp_path, monkeypatch):
    """The size is looked at before the file is."""
    path = make_bundle(tmp_path / 'b')
    monkeypatch.setattr(bundles, 'MAX_MANIFEST_BYTES', 10)
    assert 'more than the 10 allowed' in refusal(path)


def test_offences_of_damaged_bytes():
    """Every truncation of a model is either no model or harmless; none is an accident."""
    model = make_model().SerializeToString()
    assert offences(model) == []
    for length in range(0, len(model), 7):
        try:
            assert isinstance(offences(model[:length]), list)
        except ValueError:
            pass


def shipped(monkeypatch, folder):
    """Let ``folder`` be the folder of the shipped bundles."""
    monkeypatch.setattr(bundles, 'models_folder', lambda: folder)


def test_default_bundle(tmp_path, monkeypatch):
    """The only one is the default; of several, the one that is marked."""
    shipped(monkeypatch, tmp_path)
    with pytest.raises(BundleError, match='no model bundle is shipped'):
        default_bundle()
    first = make_bundle(tmp_path / 'a')
    assert default_bundle() == first
    make_bundle(tmp_path / 'b')
    with pytest.raises(BundleError, match='0 of the bundles a, b are marked default'):
        default_bundle()
    second = make_bundle(tmp_path / 'b', {'default': True})
    assert default_bundle() == second
    make_bundle(tmp_path / 'a', {'default': True})
    with pytest.raises(BundleError, match='2 of the bundles a, b are marked default'):
        default_bundle()


def test_a_shipped_bundle_goes_by_its_name(tmp_path, monkeypatch):
    """A name stands for the shipped bundle, unless there is a folder of that name."""
    shipped(monkeypatch, tmp_path / 'models')
    there = make_bundle(tmp_path / 'models' / 'small')
    assert load_bundle('small').path == there
    with pytest.raises(BundleError, match='no model bundle at large: .* or a shipped one: small'):
        load_bundle('large')
    monkeypatch.chdir(tmp_path)
    own = make_bundle(tmp_path / 'small')
    assert load_bundle('small').path.resolve() == own


def test_installed_models_are_found_by_the_ament_prefix(tmp_path, monkeypatch):
    """Without a checkout around it, the package looks into the prefixes of ROS."""
    make_bundle(tmp_path / 'ws' / 'share' / 'foundry_ros' / 'models' / 'a')
    monkeypatch.setattr(bundles, '__file__', str(tmp_path / 'site' / 'foundry_ros' / 'bundle.py'))
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path / "other"}:{tmp_path / "ws"}')
    assert default_bundle() == tmp_path / 'ws' / 'share' / 'foundry_ros' / 'models' / 'a'
