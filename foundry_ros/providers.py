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
Execution providers of onnxruntime, with the options that suit the student.

TensorRT builds an engine for the first run on a machine, which takes minutes; it is kept in
``$XDG_CACHE_HOME/foundry_ros`` (``~/.cache/foundry_ros``), a folder for each model.
"""

import os
from pathlib import Path
from typing import Dict, List, Sequence, Tuple, Union

from foundry_ros.bundle import Bundle
from foundry_ros.tokens import GROUPS, NEIGHBOURS

CPU, CUDA, TENSORRT = (f'{name}ExecutionProvider' for name in ('CPU', 'CUDA', 'Tensorrt'))
Provider = Union[str, Tuple[str, Dict[str, str]]]


def configured(names: Sequence[str], bundle: Bundle, max_batch: int) -> List[Provider]:
    """
    Give providers their options; those that need none stay names.

    :param names: preferred first. :param max_batch: objects that go through at once.
    """
    options = {CUDA: _cuda, TENSORRT: lambda: _tensorrt(bundle, max_batch)}
    return [(name, options[name]()) if name in options else name for name in names]


def _cuda() -> Dict[str, str]:
    """Compute in the precision that the accuracy in the manifest was measured in."""
    return {'use_tf32': '0', 'cudnn_conv_algo_search': 'HEURISTIC'}


def _tensorrt(bundle, max_batch):
    """Keep engines, and build one for all batches that occur."""
    folder = engine_folder(bundle)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {'trt_engine_cache_enable': '1', 'trt_engine_cache_path': str(folder),
            'trt_timing_cache_enable': '1', 'trt_timing_cache_path': str(folder),
            'trt_fp16_enable': str(int(bundle.manifest.get('precision') == 'float16')),
            'trt_profile_min_shapes': _shapes(1),
            'trt_profile_opt_shapes': _shapes(min(8, max_batch)),
            'trt_profile_max_shapes': _shapes(max_batch)}


def engine_folder(bundle: Bundle) -> Path:
    """Name the folder of the engines that were built for a bundle's model."""
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(home) / 'foundry_ros' / bundle.manifest['sha256'].strip().lower()[:16]


def _shapes(batch):
    return f'groups:{batch}x{GROUPS}x{NEIGHBOURS}x3,centers:{batch}x{GROUPS}x3'
