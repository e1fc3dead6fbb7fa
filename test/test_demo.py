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

"""A replay compared with the truth of its simulation."""

import json

from foundry_ros.config import ModelParams
from foundry_ros.demo import main, survey
from foundry_ros.replay import load_student
from foundry_ros.score import format_score, score, score_frame, ScoreError, totals
from mock_bundle import CLASSES, make_bundle
import numpy as np
import pytest

OBJECTS = [{'class': 'cup'}, {'class': 'bowl'}, {'class': 'can'}]
# Points: 1000 of a cup (half body 7, half handle 8), 1000 of a bowl, 100 of a can, 1000 of none.
INSTANCE = np.repeat([0, 1, 2, -1], [1000, 1000, 100, 1000])
PART = np.concatenate([np.repeat([7, 8], 500), np.full(2100, -1)])


def test_perfect_result():
    """Everything is found and named, with all parts; what is too small does not count."""
    rows, false, fragments = score_frame(OBJECTS, INSTANCE, PART, ['cup', 'bowl', 'can'],
                                         INSTANCE, PART)
    assert totals(rows) == {'seen': 2, 'found': 2, 'named': 2, 'unknown': 0, 'wrong': 0,
                            'parts': 1.0}
    assert (false, fragments) == (0, 0)
    assert rows[0]['overlap'] == 1 and rows[1]['parts'] is None


def test_names_are_right_wrong_or_unknown():
    """Unknown is counted apart from wrong names, and has no parts."""
    rows = score_frame(OBJECTS, INSTANCE, PART, ['unknown', 'sink', 'can'], INSTANCE, PART)[0]
    assert totals(rows) == {'seen': 2, 'found': 2, 'named': 0, 'unknown': 1, 'wrong': 1,
                            'parts': None}


def test_missed_false_and_fragments():
    """Half of a thing is a fragment, what is mostly on nothing is false."""
    mask = np.full(len(INSTANCE), -1)
    mask[:400], mask[600:1000] = 0, 1  # two fragments of the cup
    mask[2100:2600], mask[2050:2100] = 2, 2  # false: mostly on nothing
    mask[2700:2900] = 3  # too small to be false
    rows, false, fragments = score_frame(OBJECTS, INSTANCE, PART, ['cup'] * 4, mask, PART)
    assert totals(rows)['found'] == 0 and rows[0]['overlap'] == pytest.approx(.4)
    assert (false, fragments) == (1, 2)


def test_wrong_parts():
    """Points with another part than the true one are wrong, those without truth do not count."""
    found = np.where(PART == 8, 7, PART)
    rows = score_frame(OBJECTS, INSTANCE, PART, ['cup', 'bowl', 'can'], INSTANCE, found)[0]
    assert rows[0]['parts'] == pytest.approx(.5)


def test_nothing_found():
    """No detections at all is no error."""
    rows, false, fragments = score_frame(OBJECTS, INSTANCE, PART, [], np.full_like(INSTANCE, -1),
                                         PART)
    assert totals(rows)['found'] == 0 and (false, fragments) == (0, 0)
    text = format_score({'clouds': 1, 'objects': rows, 'false': 0, 'fragments': 0})
    assert '0% were found' in text


@pytest.fixture(scope='module')
def demonstration(tmp_path_factory):
    """Run the demonstration with a student that calls everything a cup."""
    folder = tmp_path_factory.mktemp('demo')
    model = make_bundle(folder / 'model', winner=CLASSES.index('cup'))
    output = folder / 'out'
    code = main(['--output', str(output), '--frames', '1', '--objects', '3', '--model',
                 str(model)])
    return code, output


def test_demonstration_end_to_end(demonstration):
    """Everything that is promised is there, and the score is that of the files."""
    code, output = demonstration
    assert code == 0
    assert {p.name for p in output.iterdir()} == {
        'recording', 'frames', 'masks', 'summary.json', 'detections.mcap', 'score.json'}
    assert (output / 'frames' / '000000.png').exists()
    assert (output / 'frames' / '000000_objects.png').exists()
    result = score(output / 'recording', output)
    assert result == json.loads((output / 'score.json').read_text())
    assert len(result['objects']) == 3 and result['clouds'] == 1


def test_score_from_files_counts_parts(demonstration, tmp_path):
    """Parts come from the points of detections.mcap, back on the pixels they came from."""
    from foundry_ros.score import _part_image, read_parts
    output = demonstration[1]
    truth = json.loads((output / 'recording' / 'truth.json').read_text())
    names, parts, clouds = read_parts(output / 'detections.mcap')
    mask = np.load(output / 'masks' / '000000.npy')
    image = _part_image(clouds[truth['frames'][0]['stamp']], truth['camera'])
    entry = json.loads((output / 'summary.json').read_text())['frames'][0]
    listed = {}
    for index, item in enumerate(entry['objects']):
        for name, count in item['parts'].items():
            assert np.sum((mask == index) & (image == parts[name])) == count
            listed[name] = count
    assert listed and 'cup' in names


def test_score_refuses_another_recording(demonstration, tmp_path):
    """A replay of something else is told, in one line; so is a missing one."""
    output = demonstration[1]
    other = tmp_path / 'truth.json'
    content = json.loads((output / 'recording' / 'truth.json').read_text())
    content['frames'][0]['stamp'] += 1
    other.write_text(json.dumps(content))
    with pytest.raises(ScoreError, match='no replay of'):
        score(tmp_path, output)
    with pytest.raises(ScoreError, match='cannot read'):
        score(output / 'recording', tmp_path / 'nowhere')


def test_survey_scores_further_scenes(demonstration):
    """Whoever calls everything a cup is right about cups only, and knows no box."""
    student = load_student(str(demonstration[1].parent / 'model'), ModelParams())
    result = survey(student, [1_000_001], frames=1)
    assert result['clouds'] == 1 and len(result['objects']) >= 6
    for row in result['objects']:
        assert row['label'] in (None, 'cup', 'unknown')
        assert row['known'] == (row['class'] in CLASSES)
        assert row['parts'] is None or row['class'] == 'cup'


def test_demonstration_stops_at_the_first_failure(tmp_path, capsys):
    """A model that is not there ends it with that step's line and code."""
    code = main(['--output', str(tmp_path / 'out'), '--frames', '1', '--objects', '1', '--model',
                 str(tmp_path / 'nothing')])
    assert code == 1
    assert 'nothing' in capsys.readouterr().err
