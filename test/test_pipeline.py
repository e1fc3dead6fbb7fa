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
"""The whole way of a cloud, with a student of random weights."""

from depth_camera import HEIGHT, look, WIDTH
from foundry_ros.bundle import load_bundle
from foundry_ros.cloud import Cloud
from foundry_ros.config import Params, update
from foundry_ros.pipeline import Pipeline
from foundry_ros.student import Student
from foundry_ros.summary import mask
from mock_bundle import CLASSES, make_bundle, PARTS
import numpy as np
import pytest
from table_scene import BOXES, table_cloud

CUP = 3
STAGES = ['crop', 'segment', 'tokens', 'student', 'total']


@pytest.fixture(scope='module')
def student(tmp_path_factory):
    """Give a student that takes everything for a cup."""
    return Student(load_bundle(make_bundle(tmp_path_factory.mktemp('b'), winner=CUP)), threads=1)


def pipeline(student, **changes):
    """Give a pipeline with some parameters changed, dots written as two underscores."""
    params = {name.replace('__', '.'): value for name, value in changes.items()}
    return Pipeline(update(Params(), params), student)


def test_objects_with_names_and_parts(student):
    """Three boxes are three objects, each named, with parts of its class for every point."""
    cloud = table_cloud(stamp=7)
    frame = pipeline(student, token_budget=16).process(cloud)
    assert (frame.stamp, frame.frame_id, frame.token_budget) == (7, 'camera', 16)
    assert len(frame.detections) == len(BOXES)
    for found in frame.detections:
        assert found.label == 'cup' and found.score > 0.9
        assert found.alternatives[0] == ('cup', found.score)
        assert found.parts.shape == found.part_scores.shape == found.indices.shape
        assert set(found.parts) <= {PARTS.index('cup/body'), PARTS.index('cup/handle')}
        assert found.part_names == {i: PARTS[i] for i in set(found.parts.tolist())}
        assert ((found.part_scores >= 0.5 - 1e-6) & (found.part_scores <= 1)).all()


def test_latency_of_each_stage(student):
    """All stages are there, and the total is no less than their sum."""
    latency = pipeline(student).process(table_cloud()).latency_ms
    assert list(latency) == STAGES
    assert latency['total'] >= sum(latency[stage] for stage in STAGES[:-1])


@pytest.mark.parametrize('xyz', [np.zeros((0, 3)), np.full((500, 3), np.nan),
                                 np.array([[0.1, 0.2, 1.0]]), np.full((90, 3), np.inf)])
def test_clouds_without_anything(student, xyz):
    """Nothing, nothing finite, one point: a frame without objects."""
    frame = pipeline(student).process(Cloud(xyz.astype(np.float32), 1, len(xyz)))
    assert frame.detections == ()
    assert list(frame.latency_ms) == STAGES
    assert (mask(frame, len(xyz)) == -1).all()


def test_ids_last_while_things_move(student):
    """Boxes that move two centimetres a cloud keep their ids."""
    follow = pipeline(student)
    clouds = [table_cloud(0.02 * i, i * 10**9) for i in range(4)]
    ids = [[d.id for d in sorted(follow.process(c).detections, key=lambda d: d.box.center[0])]
           for c in clouds]
    assert len(set(ids[0])) == len(BOXES)
    assert all(row == ids[0] for row in ids)


def test_unknown_has_no_parts(student):
    """Below the threshold there is neither name nor part, but there are alternatives."""
    follow = pipeline(student)
    follow.params = update(follow.params, {'model.score_threshold': 1.0})
    found = follow.process(table_cloud()).detections
    assert {d.label for d in found} == {'unknown'}
    assert all((d.parts == -1).all() and not d.part_names for d in found)
    assert found[0].alternatives[0][0] == 'cup'


def test_parts_can_be_left_out(student):
    """Without parts the names stay."""
    found = pipeline(student, output__parts=False).process(table_cloud()).detections
    assert {d.label for d in found} == {'cup'}
    assert all((d.parts == -1).all() for d in found)


def test_params_hold_from_the_next_cloud_on(student):
    """Range, budget and number of alternatives change while it runs."""
    follow = pipeline(student, token_budget=64)
    assert follow.process(table_cloud()).detections
    follow.params = update(follow.params, {'crop.max_range': 0.4, 'token_budget': 2})
    frame = follow.process(table_cloud())
    assert frame.detections == () and frame.token_budget == 2


def test_what_has_not_changed_is_not_looked_at_again(student):
    """Every name settles in five clouds; then each object is looked at once a second."""
    follow = pipeline(student, token_budget=16)
    frames = [follow.process(table_cloud(stamp=i * 10**8)) for i in range(25)]
    assert [f.looks for f in frames[:5]] == [3] * 5
    assert 3 <= sum(f.looks for f in frames[-10:]) <= 6
    assert all([d.label for d in f.detections] == ['cup'] * 3 for f in frames)
    assert all((d.parts >= 0).all() for d in frames[-1].detections)
    moved = follow.process(table_cloud(0.05, stamp=25 * 10**8))
    assert moved.looks == 3


def test_new_rules_hold_for_what_has_not_changed(student):
    """What was said at other parameters is not kept."""
    follow = pipeline(student, token_budget=16)
    for i in range(8):
        ids = [d.id for d in follow.process(table_cloud(stamp=i * 10**8)).detections]
    follow.params = update(follow.params, {'model.min_points': 10 ** 6})
    frame = follow.process(table_cloud(stamp=8 * 10**8))
    assert frame.looks == 3 and {d.label for d in frame.detections} == {'unknown'}
    assert [d.id for d in frame.detections] == ids


def test_some_objects_are_looked_at_where_time_is_short(student):
    """Three in turn, two a cloud: what was not looked at yet has no name, the others keep it."""
    follow = pipeline(student, budget__target_latency_ms=0.01, budget__min_looks=2)
    frames = [follow.process(table_cloud(stamp=i * 10**8)) for i in range(2)]
    assert sorted(d.label for d in frames[0].detections) == ['cup', 'cup', 'unknown']
    assert [d.label for d in frames[1].detections] == ['cup'] * 3
    assert [f.looks for f in frames] == [2, 2]


def test_budget_zero_follows_the_deadline(student):
    """With time to spare all tokens are used; a fixed budget is what was asked for."""
    follow = pipeline(student, token_budget=0, budget__target_latency_ms=60000.0)
    assert follow.process(table_cloud()).token_budget == 64


def test_sizes_rule_out(tmp_path):
    """A bathtub of twenty centimetres is unknown, and named when size is not used."""
    path = make_bundle(tmp_path / 'b', {'class_sizes': {'cup': [1.0, 2.0]}}, winner=CUP)
    student = Student(load_bundle(path), threads=1)
    labels = [{d.label for d in pipeline(student, model__use_size=use)
               .process(table_cloud()).detections} for use in (True, False)]
    assert labels == [{'unknown'}, {'cup'}]


@pytest.mark.parametrize('merge, labels', [(True, ['cup']), (False, ['unknown', 'unknown'])])
def test_pieces_are_joined_where_only_the_whole_has_a_name(tmp_path, merge, labels):
    """A box on a box, 20 cm at most, and a student who knows cups of 30 cm only."""
    path = make_bundle(tmp_path / 'b', {'class_sizes': {
        **{name: [5.0, 6.0] for name in CLASSES}, 'cup': [0.28, 0.4]}}, winner=CUP)
    xyz = look(((0, 0, 0, 0.16, 0.16, 0.12), (0, 0, 0.12, 0.1, 0.1, 0.2)))[0]
    frame = pipeline(Student(load_bundle(path), threads=1), objects__merge=merge
                     ).process(Cloud(xyz, HEIGHT, WIDTH))
    assert [d.label for d in frame.detections] == labels
    assert len(frame.scene.objects) == len(labels)
    points = np.concatenate([d.indices for d in frame.detections])
    assert len(np.unique(points)) == len(points) > 4000


def test_wholes_get_their_share_of_few_looks(tmp_path):
    """Two looks a cloud and two pieces due in each: the whole is looked at all the same."""
    path = make_bundle(tmp_path / 'b', {'class_sizes': {
        **{name: [5.0, 6.0] for name in CLASSES}, 'cup': [0.28, 0.4]}}, winner=CUP)
    follow = pipeline(Student(load_bundle(path), threads=1), tracks__refresh_s=0.0,
                      budget__target_latency_ms=0.01, budget__min_looks=2)
    frames = []
    for i in range(4):
        xyz = look(((0, 0, 0, 0.16, 0.16, 0.12), (0, 0, 0.12, 0.1, 0.1, 0.2)))[0]
        frames.append(follow.process(Cloud(xyz, HEIGHT, WIDTH, stamp=i * 10**8)))
    assert [f.looks for f in frames[1:]] == [2] * 3
    assert [d.label for d in frames[-1].detections] == ['cup']
    assert follow._recogniser._memory.wholes.tracks[0].looks == 4


def test_too_few_points_have_no_name(student):
    """What has fewer points than a name takes is unknown, with a score of nothing."""
    found = pipeline(student, model__min_points=10 ** 6).process(table_cloud()).detections
    assert {(d.label, d.score, d.alternatives) for d in found} == {('unknown', 0.0, ())}


def test_mask_gives_each_point_its_object(student):
    """The mask is the other way round of the detections' indices."""
    cloud = table_cloud()
    frame = pipeline(student).process(cloud)
    labels = mask(frame, len(cloud.xyz))
    assert labels.dtype == np.int32 and labels.shape == (len(cloud.xyz),)
    for index, found in enumerate(frame.detections):
        np.testing.assert_array_equal(np.flatnonzero(labels == index), np.sort(found.indices))
