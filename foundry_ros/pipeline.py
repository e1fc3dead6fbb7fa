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


"""The whole way of a cloud: crop, segment, tokens, student, names and parts, tracks."""

from dataclasses import dataclass
import time
from typing import Dict, Mapping, Optional, Tuple

from foundry_ros.boxes import Box
from foundry_ros.objects import Scene
import numpy as np


@dataclass(frozen=True)
class Detection:
    """
    One object of a cloud, named.

    ``id`` is its track, ``label`` its class or ``'unknown'``, ``score`` in [0, 1] that of the
    best class, ``alternatives`` ((label, score), ...) the best classes, best first, ``box`` in
    the cloud's frame, ``indices`` (n,) int64 its points in the cloud, ``parts`` (n,) int32 their
    global part ids (-1 = none), ``part_scores`` (n,) float32, ``part_names`` id -> name of the
    parts that occur.
    """

    id: str
    label: str
    score: float
    alternatives: Tuple[Tuple[str, float], ...]
    box: Box
    indices: np.ndarray
    parts: np.ndarray
    part_scores: np.ndarray
    part_names: Mapping[int, str]


@dataclass(frozen=True)
class Frame:
    """
    What was found in one cloud.

    ``stamp`` in nanoseconds, ``latency_ms`` by stage: ``crop``, ``segment``, ``tokens``,
    ``student`` and ``total`` (which also holds naming and tracking), ``scene`` the surfaces and
    which way is up.
    """

    stamp: int
    frame_id: str
    token_budget: int
    latency_ms: Dict[str, float]
    detections: Tuple[Detection, ...]
    scene: Scene
