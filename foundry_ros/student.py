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
"""The student: a model bundle run by onnxruntime, at any token budget of its menu."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
import logging
from math import ceil
import time
from types import MappingProxyType
from typing import Dict, List, Mapping, Sequence, Tuple
import warnings

from foundry_ros.bundle import Bundle, BundleError, default_bundle, load_bundle
from foundry_ros.cores import usable_cores
from foundry_ros.providers import configured, CPU, Provider
from foundry_ros.tokens import GROUPS, NEIGHBOURS
import numpy as np
import onnxruntime

__all__ = ['Bundle', 'BundleError', 'Prediction', 'Student', 'default_bundle', 'load_bundle']

MAX_THREADS = 4
# Objects are dealt out to threads, so that one waits for another at the end only; each thread's
# share is so many parts, so that one whose core others want gets fewer. Below that is a small pool
# of onnxruntime that shares each operation and sleeps in between: alone it is no faster than one
# thread on an idle machine, but the scheduler soon gives a core to who sleeps often. A pool that
# spins takes up to twice the processor time, and where others want the cores longer than one
# thread; unless it is told to stop after a run it is a load between runs as well.
# Figures: python -m foundry_ros bench --thread-study
PARTS = 2
POOL = 2
SLEEP = MappingProxyType({'session.intra_op.allow_spinning': '0'})
_INPUTS = {'groups': ('tensor(float)', (None, GROUPS, NEIGHBOURS, 3)),
           'centers': ('tensor(float)', (None, GROUPS, 3)),
           'token_budget': ('tensor(int64)', ())}
_OUTPUTS = ('features', 'class_logits', 'part_logits')
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """
    What the student says about B objects, raw: nothing is scaled or masked yet.

    ``features`` (B, F), ``class_logits`` (B, classes), ``part_logits`` (B, 64, parts) a group;
    all float32.
    """

    features: np.ndarray
    class_logits: np.ndarray
    part_logits: np.ndarray


class Student:
    """
    A bundle, loaded.

    ``providers_asked`` and ``providers`` are the execution providers asked for and in use,
    ``threads`` how many of its own it has, if they are of use.
    """

    def __init__(self, bundle: Bundle, providers: Sequence[str] = (CPU,), threads: int = 0,
                 max_batch: int = 32):
        """
        Load the model and try it once.

        :param providers: execution providers of onnxruntime, preferred first.
        :param threads: 0 = as many as this process may use cores, at most 4.
        :param max_batch: objects that go through at once.
        :raises BundleError: the model does not load, does not match the manifest, or none of
            the providers asked for can be used.
        """
        self.bundle = bundle
        self.max_batch = max_batch
        self.threads = threads or min(max(int(usable_cores()), 1), MAX_THREADS)
        self.providers_asked = tuple(providers)
        offered = configured(_offered(providers), bundle, max_batch)
        self._session = open_session(bundle, offered, min(self.threads, POOL))
        self.providers = tuple(self._session.get_providers())
        self._check_providers()
        self._workers = (ThreadPoolExecutor(self.threads, 'student')
                         if self.threads > 1 and self.providers[0] == CPU else None)
        try:
            self._check_inputs()
            self._check_outputs()
        except UnicodeDecodeError as error:  # onnxruntime takes any bytes for a name
            raise self._error(f'has a name that is no text: {error}') from None

    @property
    def lanes(self) -> int:
        """Tell how many objects go through beside each other, in threads of their own."""
        return self.threads if self._workers else 1

    def warm(self) -> Dict[int, float]:
        """
        Run every budget of the menu, so that no cloud pays for a first time.

        Where it is not the processor that computes, the largest batch has its first time, too.

        :return: milliseconds that one object takes, by budget: the best of three.
        """
        groups, centers = _blank(1)
        times = {}
        for budget in self.bundle.token_budgets:
            runs = []
            for _ in range(4):
                start = time.perf_counter()
                self(groups, centers, budget)
                runs.append((time.perf_counter() - start) * 1e3)
            times[budget] = min(runs[1:])
            if self.providers[0] != CPU:
                self(*_blank(self.max_batch), budget)
        return times

    def __call__(self, groups: np.ndarray, centers: np.ndarray, token_budget: int) -> Prediction:
        """
        Run the student.

        :param groups: (B, 64, 32, 3) float32, neighbours relative to their centre.
        :param centers: (B, 64, 3) float32.
        :param token_budget: tokens into which each object is squeezed, one of the bundle's menu.
        :raises BundleError: a budget that is not in the menu.
        """
        if token_budget not in self.bundle.token_budgets:
            menu = ', '.join(str(b) for b in self.bundle.token_budgets)
            raise BundleError(f'a token budget of {token_budget} is not in the menu of '
                              f'{self.bundle.name}: {menu}')
        size = min(max(len(groups), 1), self.max_batch)
        if self._workers:
            size = ceil(size / (self.threads * PARTS))
        starts = range(0, max(len(groups), 1), size)
        deal = self._workers.map if len(starts) > 1 and self._workers else map
        batches = deal(lambda i: self._run(groups[i:i + size], centers[i:i + size], token_budget),
                       starts)
        return Prediction(*(np.concatenate(outputs) for outputs in zip(*batches)))

    def _run(self, groups, centers, token_budget):
        """Run one batch."""
        if len(groups) == 0:
            return tuple(np.zeros((0, *shape), np.float32) for shape in self._shapes)
        return self._session.run(_OUTPUTS, {'groups': groups, 'centers': centers,
                                            'token_budget': np.array(token_budget, np.int64)})

    def _check_providers(self):
        """Say where the providers in use are not those asked for; never fall back silently."""
        lost = [name for name in self.providers_asked if name not in self.providers]
        if lost == list(self.providers_asked):
            raise BundleError(_no_provider(lost))
        if lost:
            _log.warning('execution provider %s is not available, the student runs on %s',
                         ', '.join(lost), ', '.join(self.providers))

    def _check_inputs(self):
        """Compare the inputs of the model with the contract."""
        found = {item.name: (item.type, item.shape) for item in self._session.get_inputs()}
        if set(found) != set(_INPUTS):
            raise self._error(f'has the inputs {", ".join(found)}, not {", ".join(_INPUTS)}')
        for name, (kind, shape) in _INPUTS.items():
            if found[name][0] != kind:
                raise self._error(f'takes {name} as {found[name][0]}, not {kind}')
            if not _fits(found[name][1], shape):
                raise self._error(f'takes {name} in the shape {_words(found[name][1])}, '
                                  f'not {_words(shape)}')

    def _check_outputs(self):
        """Run two objects and compare what comes out with the manifest."""
        found = {item.name: item.type for item in self._session.get_outputs()}
        for name in _OUTPUTS:
            if found.get(name) != 'tensor(float)':
                raise self._error(f'gives {name} as {found.get(name, "nothing at all")}, '
                                  'not tensor(float)')
        groups, centers = _blank(2)
        try:
            result = self._run(groups, centers, self.bundle.token_budgets[0])
        except Exception as error:  # noqa: B902 onnxruntime's errors share no base class
            raise self._error(f'does not run: {_brief(error)}') from None
        classes, parts = len(self.bundle.classes), len(self.bundle.parts)
        expected = {'features': (2, None), 'class_logits': (2, classes),
                    'part_logits': (2, GROUPS, parts)}
        for name, value in zip(_OUTPUTS, result):
            if not _fits(value.shape, expected[name], exact=True):
                raise self._error(f'gives {name} in the shape {_words(value.shape)}, but '
                                  f'{_words(expected[name])} follows from the {classes} classes '
                                  f'and {parts} parts of the manifest')
        self._shapes = [value.shape[1:] for value in result]

    def _error(self, text):
        return BundleError(f'model bundle {self.bundle.path}: model.onnx {text}; export the '
                           'bundle again')


def open_session(bundle: Bundle, providers: Sequence[Provider] = (CPU,), pool: int = 1,
                 entries: Mapping[str, str] = SLEEP) -> onnxruntime.InferenceSession:
    """
    Open the model from the bytes that were checked.

    :param providers: that this onnxruntime has, with options or without.
    :param pool: threads of onnxruntime's own pool, the caller's counted.
    :param entries: further settings of onnxruntime; its threads sleep while there is no work.
    :raises BundleError: the model does not load.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = pool
    options.inter_op_num_threads = 1
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    options.log_severity_level = 3
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # what they say is checked, and said, by the caller
            return onnxruntime.InferenceSession(
                bundle.model, options, providers=providers,
                # the CPU has nothing to fall back on; onnxruntime would try, and print that
                enable_fallback=list(providers) != [CPU])
    except Exception as error:  # noqa: B902 onnxruntime's errors share no base class
        raise BundleError(f'model bundle {bundle.path}: onnxruntime '
                          f'{onnxruntime.__version__} cannot load model.onnx: {_brief(error)}'
                          ) from None


def _offered(providers: Sequence[str]) -> List[str]:
    """Keep the providers that this onnxruntime was built with."""
    offered = onnxruntime.get_available_providers()
    kept = [name for name in providers if name in offered]
    if not kept:
        raise BundleError(_no_provider(providers))
    return kept


def _no_provider(asked):
    offered = ', '.join(onnxruntime.get_available_providers())
    return (f'execution provider {", ".join(asked) or "(none)"} cannot be used; this onnxruntime '
            f'offers {offered}: change model.providers or install onnxruntime-gpu')


def _blank(batch):
    return (np.zeros((batch, GROUPS, NEIGHBOURS, 3), np.float32),
            np.zeros((batch, GROUPS, 3), np.float32))


def _fits(found, expected, exact=False) -> bool:
    """Compare shapes; a name stands for any size, and None must be open (or anything: exact)."""
    if len(found) != len(expected):
        return False
    for size, wanted in zip(found, expected):
        if wanted is None:
            if isinstance(size, int) and not exact:
                return False
        elif isinstance(size, int) and size != wanted:
            return False
    return True


def _words(shape: Tuple) -> str:
    return '(' + ', '.join(str(size) if isinstance(size, int) else 'any' for size in shape) + ')'


def _brief(error) -> str:
    return ' '.join(str(error).split())[:200]
