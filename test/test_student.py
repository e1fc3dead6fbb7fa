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
"""The student: budgets, batches, providers."""

import threading

from foundry_ros import student as student_module
from foundry_ros.bundle import BundleError, load_bundle
from foundry_ros.student import Student
from mock_bundle import make_bundle
import numpy as np
import pytest


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Give a bundle with random weights."""
    return load_bundle(make_bundle(tmp_path_factory.mktemp('bundle')))


def tokens(batch):
    """Give the tokens of random objects."""
    rng = np.random.default_rng(batch)
    return (rng.normal(size=(batch, 64, 32, 3)).astype(np.float32),
            rng.normal(size=(batch, 64, 3)).astype(np.float32))


def test_shapes_with_and_without_objects(bundle):
    """No objects is a batch like any other."""
    student = Student(bundle, threads=1)
    for batch in (0, 1, 5):
        prediction = student(*tokens(batch), 16)
        assert prediction.features.shape[0] == batch
        assert prediction.class_logits.shape == (batch, 4)
        assert prediction.part_logits.shape == (batch, 64, 5)
        assert prediction.class_logits.dtype == np.float32


def test_batches_do_not_change_the_answer(bundle):
    """Seven objects in batches of three are the same seven objects."""
    groups, centers = tokens(7)
    whole = Student(bundle, threads=1, max_batch=32)(groups, centers, 8)
    split = Student(bundle, threads=1, max_batch=3)(groups, centers, 8)
    np.testing.assert_allclose(split.class_logits, whole.class_logits, rtol=1e-5)
    np.testing.assert_allclose(split.part_logits, whole.part_logits, rtol=1e-5)


@pytest.mark.parametrize('batch', [1, 2, 7, 40])
def test_threads_do_not_change_the_answer(bundle, batch):
    """Dealt out to three threads, each object gets its own answer."""
    groups, centers = tokens(batch)
    one = Student(bundle, threads=1)(groups, centers, 8)
    three = Student(bundle, threads=3, max_batch=32)(groups, centers, 8)
    np.testing.assert_allclose(three.class_logits, one.class_logits, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(three.part_logits, one.part_logits, rtol=1e-4, atol=1e-6)


def test_threads_share_the_objects(bundle, monkeypatch):
    """No run gets more than its part of what may be under way at once; one object is one run."""
    student, sizes = Student(bundle, threads=2, max_batch=16), []
    run = student._run
    monkeypatch.setattr(student, '_run', lambda groups, *rest: (
        sizes.append((len(groups), threading.current_thread() is threading.main_thread())),
        run(groups, *rest))[1])
    student(*tokens(20), 1)
    assert sorted(sizes) == [(4, False)] * 5
    sizes.clear()
    student(*tokens(1), 1)
    assert sizes == [(1, True)]


def test_threads_end_with_the_student(bundle):
    """A student that is gone leaves no thread of its own behind."""
    before = set(threading.enumerate())
    student = Student(bundle, threads=2)
    student(*tokens(8), 64)
    workers = set(threading.enumerate()) - before
    assert workers
    del student
    for worker in workers:
        worker.join(timeout=10)
    assert not any(worker.is_alive() for worker in workers)


def test_threads_without_work_sleep(bundle):
    """The threads of onnxruntime do not spin, which would look like load."""
    options = Student(bundle, threads=2)._session.get_session_options()
    assert options.get_session_config_entry('session.intra_op.allow_spinning') == '0'
    assert options.intra_op_num_threads == 2


@pytest.mark.parametrize('usable, threads', [(0.5, 1), (1.5, 1), (2, 2), (64, 4)])
def test_threads_by_usable_cores(bundle, monkeypatch, usable, threads):
    """As many threads as this process may use cores at once, from 1 to 4."""
    monkeypatch.setattr(student_module, 'usable_cores', lambda: usable)
    assert Student(bundle).threads == threads


def test_budget_reaches_the_model(bundle):
    """Another budget gives another answer; one that is not in the menu gives the menu."""
    student = Student(bundle, threads=1)
    logits = [student(*tokens(2), budget).class_logits for budget in bundle.token_budgets]
    assert all(np.abs(a - b).max() > 1e-4 for a, b in zip(logits, logits[1:]))
    with pytest.raises(BundleError, match='7 is not in the menu of mock: 1, 2, 4, 8, 16, 32, 64'):
        student(*tokens(1), 7)


def test_warm_times_the_whole_menu(bundle):
    """Each budget has its time."""
    times = Student(bundle, threads=1).warm()
    assert list(times) == list(bundle.token_budgets)
    assert min(times.values()) > 0


def test_no_silent_fallback(bundle, caplog):
    """A provider that is not there is an error, or a warning where another one was allowed."""
    with pytest.raises(BundleError, match='NoSuchProvider cannot be used'):
        Student(bundle, providers=['NoSuchProvider'], threads=1)
    with caplog.at_level('WARNING'):
        student = Student(bundle, ['NoSuchProvider', 'CPUExecutionProvider'], threads=1)
    assert student.providers_asked == ('NoSuchProvider', 'CPUExecutionProvider')
    assert student.providers == ('CPUExecutionProvider',)
    assert 'NoSuchProvider is not available' in caplog.text
