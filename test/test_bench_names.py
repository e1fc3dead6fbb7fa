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

"""Counting names: right, wrong, unknown, missed and stray ones."""

import json
from pathlib import Path
from types import SimpleNamespace

from depth_camera import FOCAL, HEIGHT, look, WIDTH
from foundry_ros import config
from foundry_ros.__main__ import main
from foundry_ros.bench_names import (format_table, frames, Match, match, NamesError, read_names,
                                     run, summary)
from foundry_ros.bundle import load_bundle
from foundry_ros.student import Student
from mock_bundle import CLASSES, make_bundle
import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[1]
NAMES = ROOT / 'training' / 'data' / 'mosd_names.yaml'
MOSD = ROOT.parent / 'shared' / 'data' / 'mosd'
BOX, OTHER = (0.1, 0.0, 0, 0.2, 0.16, 0.1), (0.1, 0.0, 0, 0.05, 0.05, 0.25)


def detection(label, indices):
    """Give what counts of a detection."""
    return SimpleNamespace(label=label, score=0.9, indices=np.asarray(indices))


def outcomes(detections, truth, names):
    """Match; give the outcome of each."""
    return [each.outcome for each in match(detections, truth, names)]


@pytest.fixture
def truth():
    """Three objects of 400 pixels, one to a row."""
    image = np.zeros((4, 400), np.int64)
    image[:3] = np.arange(1, 4)[:, None]
    return image


def test_each_outcome(truth):
    """An object named rightly, one wrongly, one not found; masks of no object."""
    names = {0: ['cup', 'bowl'], 1: ['box'], 2: ['can']}
    found = [detection('bowl', range(400)), detection('bowl', range(400, 700)),
             detection('can', range(800, 900)), detection('unknown', range(1200, 1600))]
    assert outcomes(found, truth, names) == ['right', 'wrong', 'missed', 'stray', 'unnamed']
    found = [detection('unknown', range(400)), *found[1:3]]
    assert outcomes(found, truth, names) == ['unknown', 'wrong', 'missed', 'stray']
    assert outcomes([], truth, names) == ['missed'] * 3


def test_any_name_of_an_object_of_no_class_is_wrong(truth):
    """Only unknown is right then, and it is counted as such."""
    names = {0: [], 1: [], 2: []}
    found = [detection('bowl', range(400)), detection('unknown', range(400, 800))]
    assert outcomes(found, truth, names) == ['wrong', 'unknown', 'missed']


def test_a_mask_of_two_objects_is_a_stray(truth):
    """It overlaps neither by half of their union."""
    truth[1] = 4
    found = [detection('box', np.r_[0:400, 400:800, 800:1200])]
    names = {number: ['box'] for number in range(4)}
    assert outcomes(found, truth, names) == ['missed'] * 3 + ['stray']


def test_small_objects_count_neither_way(truth):
    """Under 300 pixels they are not counted, nor are the masks that find them."""
    truth[0, :200] = 0
    names = {0: ['box'], 1: ['box'], 2: ['box']}
    assert outcomes([detection('cup', range(200, 400))], truth, names) == ['missed'] * 2


def test_an_object_without_entry_is_named(truth):
    """The gap is told, not counted as anything."""
    with pytest.raises(NamesError, match='object 1 of the frame kitchen'):
        match([], truth, {0: [], 2: []}, 'kitchen')


def test_shares_and_confusions():
    """Wrong ones among the found; with the strays among all masks; the commonest first."""
    rows = [Match(('box',), 'box', 0.9, 'a', 0), Match(('box',), 'chair', 0.9, 'a', 1),
            Match(('can', 'cup'), 'bottle', 0.9, 'b', 0), Match(('box',), 'chair', 0.9, 'b', 1),
            Match(('box',), 'unknown', 0.2, 'b', 2), Match((), None, 0.0, 'b', 3)]
    strays = [Match(None, 'cup', 0.9, 'b', None), Match(None, 'unknown', 0.1, 'b', None)]
    result = summary({'here': rows, 'there': strays})
    row = result['categories']['all']
    assert (row['objects'], row['found'], row['right'], row['wrong'], row['unknown']) == (
        6, 5, 1, 3, 1)
    assert row['strays'] == 1
    assert row['wrong_share'] == 0.6 and row['wrong_share_with_strays'] == round(4 / 7, 4)
    assert result['categories']['here']['strays'] == 0
    assert result['confusions'][0] == {'true': 'box', 'given': 'chair', 'count': 2,
                                       'where': ['a/1', 'b/1']}
    assert {'true': 'can or cup', 'given': 'bottle', 'count': 1, 'where': ['b/0']} in (
        result['confusions'])
    assert {'true': 'no object', 'given': 'cup', 'count': 1, 'where': ['b']} in (
        result['confusions'])
    json.dumps(result)


def write_frames(folder, *scenes):
    """Write labelled frames of boxes as those of a depth camera."""
    depths, labels = [], []
    for boxes in scenes:
        xyz, truth = look(boxes)
        depths.append(np.nan_to_num(xyz[:, 2] * 1000).reshape(HEIGHT, WIDTH).astype(np.uint16))
        labels.append(np.where(truth > 0, 10 + 10 * truth, 1).reshape(HEIGHT, WIDTH))
    names = [f'frame{i}' for i in range(len(scenes))]
    np.savez(Path(folder) / 'mosd_depth_label.npz', depth_mm=np.stack(depths),
             label=np.stack(labels).astype(np.uint8), names=names, category=names,
             intrinsics=(FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2))
    return str(folder)


def student(folder, **bundle):
    """Give a student with random weights."""
    return Student(load_bundle(make_bundle(folder / 'model', **bundle)), threads=1)


def test_the_whole_pipeline(tmp_path):
    """A student that calls everything a bowl is right about what is a bowl, at every budget."""
    apart = ((-0.25, 0.0, 0, 0.12, 0.1, 0.15), BOX)
    folder = write_frames(tmp_path, apart, (BOX,))
    names = {'frame0': {0: ['bowl'], 1: ['box']}, 'frame1': {0: []}}
    bowls = student(tmp_path, winner=CLASSES.index('bowl'))
    result = run(folder, names, bowls)
    assert set(result['budgets']) == {'1', '16', '64'}
    for each in result['budgets'].values():
        row = each['categories']['all']
        assert (row['objects'], row['found'], row['right'], row['wrong']) == (3, 3, 1, 2)
        assert each['categories']['frame1']['wrong_share'] == 1.0
        assert each['categories']['even frames']['found'] == 2
        assert each['categories']['odd frames']['wrong_share'] == 1.0
        assert {'true': 'of no class', 'given': 'bowl', 'count': 1, 'where': ['frame1/0']} in (
            each['confusions'])
    assert '2 x' not in format_table(result) and 'box -> bowl: frame0/1' in format_table(result)
    wary = config.update(config.Params(), {'model.score_threshold': 1.0})
    unsure = run(folder, names, student(tmp_path), wary)['budgets']['64']['categories']['all']
    assert (unsure['unknown'], unsure['wrong']) == (3, 0)
    with pytest.raises(NamesError, match='lack the frame frame1'):
        run(folder, {'frame0': names['frame0']}, bowls)


def test_frames_do_not_colour_each_other(tmp_path):
    """An object where that of the frame before stood is named as if it had been the first."""
    anything = config.update(config.Params(), {'model.score_threshold': 0.0,
                                               'tracks.smoothing': 0.99})
    given = []
    for scenes in (((BOX,), (OTHER,)), ((OTHER,), (BOX,))):
        folder = write_frames(tmp_path, *scenes)
        names = {'frame0': {0: []}, 'frame1': {0: []}}
        result = run(folder, names, student(tmp_path), anything)['budgets']['1']
        given.append({c['where'][0]: c['given'] for c in result['confusions']})
    assert given[0]['frame0/0'] == given[1]['frame1/0']
    assert given[0]['frame1/0'] == given[1]['frame0/0']
    assert given[0]['frame0/0'] != given[0]['frame1/0'], 'the two look alike: a void test'


def test_bench_verb(tmp_path, capsys):
    """Table and JSON of the verb; names without frames are refused in one line."""
    folder = write_frames(tmp_path, (BOX,))
    names = tmp_path / 'names.yaml'
    names.write_text('frame0: {0: [bowl]}\n')
    model = str(make_bundle(tmp_path / 'model', winner=CLASSES.index('bowl')))
    options = ['bench', '--names', str(names), '--model', model, '--repeat', '1', '--clouds', '1']
    assert main(options) == 1
    assert '--frames' in capsys.readouterr().err
    assert main([*options, '--frames', folder]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)['names']['budgets']['64']['categories']['all']['right'] == 1
    assert 'wrong/found' in printed.err


@pytest.mark.parametrize('text', ['', '- a', 'a: 1', 'a: {0: box}', 'a: {x: [box]}',
                                  'a: {0: [1]}', 'a: [', '\0'])
def test_bad_names_are_told_in_one_line(tmp_path, text):
    """Whatever the file holds, the message names it."""
    path = tmp_path / 'names.yaml'
    path.write_text(text)
    with pytest.raises(NamesError, match='names.yaml') as told:
        read_names(str(path))
    assert '\n' not in str(told.value)
    with pytest.raises(NamesError, match='cannot read'):
        read_names(str(tmp_path / 'nothing.yaml'))


def test_shipped_names_are_in_the_vocabulary():
    """A name that no student can give would never be right."""
    sizes = yaml.safe_load((ROOT / 'training' / 'configs' / 'class_sizes.yaml').read_text())
    used = {name for objects in read_names(str(NAMES)).values()
            for names in objects.values() for name in names}
    assert used == {'box', 'can', 'bowl', 'cup', 'bottle'} and used <= set(sizes)


@pytest.mark.skipif(not (MOSD / 'mosd_depth_label.npz').exists(),
                    reason='needs ../shared/data/mosd')
def test_shipped_names_cover_every_object():
    """Each object of each labelled frame has an entry, and nothing else has."""
    names = read_names(str(NAMES))
    present = {frame: set(np.unique(truth[truth > 0]).tolist())
               for frame, _, _, truth in frames(str(MOSD))}
    assert {frame: {number + 1 for number in objects}
            for frame, objects in names.items()} == present
