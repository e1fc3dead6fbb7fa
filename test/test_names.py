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
"""Names: calibrated, of plausible size, or unknown; parts of the right class."""

from foundry_ros.bundle import load_bundle
from foundry_ros.names import best, class_scores, name_parts, part_ids, size_fits, UNKNOWN
from mock_bundle import make_bundle
import numpy as np
import pytest


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Give a bundle whose cups and bottles are small and whose chairs are large."""
    return load_bundle(make_bundle(tmp_path_factory.mktemp('bundle'), {
        'score_temperature': 2.0,
        'class_sizes': {'bottle': [0.1, 0.4], 'chair': [0.4, 1.5], 'cup': [0.05, 0.2]}}))


def test_temperature(bundle):
    """Scores are the softmax of the logits over the temperature."""
    scores = class_scores(np.array([[2.0, 0, 0, 0]]), np.array([1.0]), bundle, use_size=False)
    e = np.exp(1.0)
    np.testing.assert_allclose(scores, [[e / (e + 3)] + 3 * [1 / (e + 3)]])


def test_size_within_at_the_edge_and_beyond():
    """One inside the range, half at the root of the slack, nothing beyond it."""
    sizes = {'cup': (0.1, 0.2)}
    edges = np.array([0.1, 0.15, 0.2, 0.2 * 1.3 ** 0.5, 0.1 / 1.3 ** 0.5, 0.27, 0.07])
    fits = size_fits(edges, ['cup', 'bowl'], sizes)
    np.testing.assert_allclose(fits[:, 0], [1, 1, 1, 0.5, 0.5, 0, 0], atol=1e-12)
    assert (fits[:, 1] == 1).all()


def test_size_decides_between_plausible_classes(bundle):
    """A chair of 15 cm is the cup that the student thought of second."""
    logits = np.array([[0.0, 0.0, 6.0, 5.5]])
    label, score, listed = best(class_scores(logits, np.array([0.15]), bundle)[0],
                                bundle.classes, 0.5, 3)
    assert label == 'cup' and score > 0.7
    assert 'chair' not in [name for name, _ in listed]


def test_what_does_not_occur_in_a_kind_of_scene_is_ruled_out(tmp_path):
    """In a sweep there are no bowls; in other scenes, and with sizes unused, there may be."""
    bundle = load_bundle(make_bundle(tmp_path / 'b', {
        'mode_classes': {'lidar': ['bottle', 'chair', 'cup']}}))
    logits = np.array([[0.0, 12.0, 0.0, 0.0], [6.0, 0.0, 0.0, 0.0]])
    named = [[best(row, bundle.classes, 0.5, 3)[0] for row in
              class_scores(logits, np.ones(2), bundle, use_size, mode)]
             for use_size, mode in ((True, 'room'), (True, 'lidar'), (False, 'lidar'))]
    assert named == [['bowl', 'bottle'], ['unknown', 'bottle'], ['unknown', 'bottle']]


def test_what_size_rules_out_does_not_become_certain(bundle):
    """When the student is sure of what cannot be, the object is unknown, not the next best."""
    logits = np.array([[-20.0, -20.0, 12.0, 2.0]])
    scores = class_scores(logits, np.array([0.15]), bundle)[0]
    assert scores.max() < 0.5
    assert best(scores, bundle.classes, 0.5, 3)[0] == UNKNOWN


def test_size_that_fits_changes_nothing(bundle):
    """Where no mass is ruled out the scores are those of the softmax."""
    logits = np.array([[0.3, -9e9, 0.1, -9e9]])
    edges = np.array([0.4])
    np.testing.assert_allclose(class_scores(logits, edges, bundle),
                               class_scores(logits, edges, bundle, use_size=False))


def test_logits_that_are_not_numbers(bundle):
    """An object whose logits are not finite is unknown, the others are not touched."""
    logits = np.array([[np.nan, 0, 0, 0], [9.0, 0, 0, 0]])
    scores = class_scores(logits, np.array([0.2, 0.2]), bundle)
    assert best(scores[0], bundle.classes, 0.5, 3) == (UNKNOWN, 0.0, ())
    assert best(scores[1], bundle.classes, 0.5, 3)[0] == 'bottle'


def test_alternatives_are_ordered_and_counted():
    """The best first, as many as asked for, none without a chance."""
    scores = np.array([0.1, 0.6, 0.001, 0.299])
    label, score, listed = best(scores, 'abcd', 0.5, 3)
    assert (label, score) == ('b', 0.6)
    assert listed == (('b', 0.6), ('d', 0.299), ('a', 0.1))
    assert [name for name, _ in best(scores, 'abcd', 0.5, 4)[2]] == ['b', 'd', 'a']
    assert best(scores, 'abcd', 0.7, 1) == (UNKNOWN, 0.6, (('b', 0.6),))


def test_parts_are_those_of_the_class(bundle):
    """A chair has only chair's parts however much its points look like a handle."""
    assert part_ids('chair', bundle) == [0, 1, 2]
    assert part_ids('cup', bundle) == [3, 4]
    assert part_ids('bottle', bundle) == part_ids(UNKNOWN, bundle) == []
    centers = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    logits = np.zeros((64, 5), np.float32)
    logits[:, 4] = 9
    logits[:, 1] = 1
    parts, scores = name_parts('chair', logits, centers, centers[:10], bundle)
    assert (parts == 1).all() and parts.dtype == np.int32
    np.testing.assert_allclose(scores, np.e / (np.e + 2), rtol=1e-5)
    parts, scores = name_parts('bottle', logits, centers, centers[:10], bundle)
    assert (parts == -1).all() and (scores == 0).all()


def test_parts_follow_the_nearest_groups(bundle):
    """The upper half of a cup is its handle if the groups there say so."""
    centers = np.random.default_rng(1).normal(size=(64, 3)).astype(np.float32)
    logits = np.zeros((64, 5), np.float32)
    logits[:, 3] = np.where(centers[:, 2] < 0, 5, -5)
    parts, _ = name_parts('cup', logits, centers, centers, bundle)
    assert (parts == np.where(centers[:, 2] < 0, 3, 4)).all()
