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

"""Execution providers: their order, their options, where engines are kept, what is warmed."""

from foundry_ros import providers, student as student_module
from foundry_ros.bundle import load_bundle
from foundry_ros.student import Student
from mock_bundle import make_bundle
import onnxruntime
import pytest

GPU = [providers.TENSORRT, providers.CUDA, providers.CPU]


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """Give a bundle in 16 bits, and a cache of its own."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return load_bundle(make_bundle(tmp_path / 'bundle', {'precision': 'float16'}))


class Pretended:
    """A session on the processor that says it is on what was asked for."""

    def __init__(self, model, options, providers=None, **rest):
        """Remember what was asked for."""
        self.asked = providers
        self.session = REAL(model, options, providers=['CPUExecutionProvider'])
        self.sizes = []

    def get_providers(self):
        """Name what was asked for."""
        return [each if isinstance(each, str) else each[0] for each in self.asked]

    def run(self, outputs, inputs):
        """Run on the processor and remember size and budget."""
        self.sizes.append((len(inputs['groups']), int(inputs['token_budget'])))
        return self.session.run(outputs, inputs)

    def __getattr__(self, name):
        """Leave the rest to the session."""
        return getattr(self.session, name)


REAL = onnxruntime.InferenceSession


@pytest.fixture
def student(bundle, monkeypatch):
    """Give a student that takes itself to be on a GPU."""
    monkeypatch.setattr(onnxruntime, 'InferenceSession', Pretended)
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: GPU)
    return Student(bundle, GPU, threads=2, max_batch=16)


def test_the_order_is_kept_and_each_has_its_options(student):
    """First TensorRT, then CUDA in full precision, then the processor without options."""
    (first, tensorrt), (second, cuda), third = student._session.asked
    assert (first, second, third) == tuple(GPU) == student.providers
    assert cuda['use_tf32'] == '0'
    assert tensorrt['trt_profile_max_shapes'] == 'groups:16x64x32x3,centers:16x64x3'
    assert tensorrt['trt_fp16_enable'] == '1'
    assert student.lanes == 1


def test_engines_are_kept_by_model(student, bundle, tmp_path):
    """In a folder of the user's cache that is there and named after the model."""
    tensorrt = student._session.asked[0][1]
    folder = tmp_path / 'cache/foundry_ros' / bundle.manifest['sha256'][:16]
    assert tensorrt['trt_engine_cache_path'] == str(folder) and folder.is_dir()
    assert tensorrt['trt_engine_cache_enable'] == '1'
    assert folder.stat().st_mode & 0o077 == 0


def test_every_budget_is_warmed_alone_and_in_the_largest_batch(student, bundle):
    """No cloud pays for the first time of a budget, nor of a full batch on a GPU."""
    student._session.sizes.clear()
    student.warm()
    assert {(size, b) for size in (1, 16) for b in bundle.token_budgets} == set(
        student._session.sizes)


def test_the_processor_needs_no_options(bundle, tmp_path):
    """And makes no folder."""
    assert providers.configured([providers.CPU], bundle, 32) == ['CPUExecutionProvider']
    assert not (tmp_path / 'cache').exists()
    assert student_module.CPU == providers.CPU
