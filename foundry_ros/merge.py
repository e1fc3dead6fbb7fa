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
Pieces of one thing, found apart: joined where the student knows the whole but none of the pieces.

Geometry cuts at every deep crease, so a teddy bear comes as head, limbs and trunk, and a monitor
without its foot.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, List, Sequence, Tuple

from foundry_ros.boxes import upright_axes, upright_box
from foundry_ros.config import by_mode, Params
from foundry_ros.graph import components
from foundry_ros.objects import ObjectCrop
import numpy as np
from scipy.spatial import cKDTree

# Pieces are this near to each other, in edges of the voxel grid, on so many points of each.
TOUCHING, SAMPLE = 4.0, 200
# Things have at most so many pieces, and so many wholes are looked at in a cloud.
PIECES, WHOLES = 6, 4
# A name for the whole leaves this share of the doubt that a name may leave.
DOUBT = 0.25


@dataclass(frozen=True)
class Look:
    """
    What the student makes of an object.

    ``centers`` (64, 3) of its groups, in the unit sphere, ``part_logits`` (64, parts),
    ``scores`` (classes,), ``track`` that it belongs to.
    """

    crop: ObjectCrop
    centers: np.ndarray
    part_logits: np.ndarray
    scores: np.ndarray
    track: Any = None


@dataclass(frozen=True)
class Whole:
    """What may be one thing: its ``crop``, and the indices of its ``pieces``."""

    crop: ObjectCrop
    pieces: Tuple[int, ...]


def joinable(xyz: np.ndarray, looks: Sequence[Look], params: Params) -> List[Whole]:
    """
    Find objects without a name that hang together, among those that were looked at.

    :param xyz: (N, 3) the cloud.
    :param looks: at all of its objects.
    :return: at most 4, of 2 to 6 pieces each; no piece is in two of them.
    """
    if params.objects.mode == 'lidar':
        return []  # what the beams leave between things says nothing
    limits = by_mode(params.objects, params.objects.mode)
    samples = {i: xyz[look.crop.indices[::max(1, len(look.crop.indices) // SAMPLE)]]
               for i, look in enumerate(looks)
               if look.scores.max() < params.model.score_threshold
               and (look.track is None or look.track.looks)}
    pairs = [pair for pair in combinations(samples, 2)
             if _touch(*map(samples.get, pair), TOUCHING * limits.voxel_size)]
    if not pairs:
        return []
    cluster = components(len(looks), np.array(pairs).T)
    sizes = np.bincount(cluster)
    clusters = [np.flatnonzero(cluster == k).tolist()
                for k in np.flatnonzero((sizes > 1) & (sizes <= PIECES))]
    wholes = [Whole(_union(xyz, [looks[i].crop for i in c]), tuple(c)) for c in clusters]
    return [w for w in wholes if w.crop.box.size.max() <= limits.max_size][:WHOLES]


def _touch(first, last, gap):
    """Tell whether two sets of points come as near as the gap."""
    apart = np.maximum(first.min(axis=0) - last.max(axis=0), last.min(axis=0) - first.max(axis=0))
    return apart.max() < gap and cKDTree(first).query(
        last, distance_upper_bound=gap)[0].min() < gap


def _union(xyz, crops):
    """Put a box around several objects; it reaches down as far as theirs do."""
    up = crops[0].up
    indices = np.sort(np.concatenate([crop.indices for crop in crops]))
    floor = min(crop.box.center @ up - crop.box.size[2] / 2 for crop in crops)
    return ObjectCrop(indices, upright_box(xyz[indices], upright_axes(up), floor), up)


def joined(looks: Sequence[Look], wholes: Sequence[Whole], tried: Sequence[Look],
           threshold: float) -> List[Look]:
    """
    Take the wholes that have a name with much less doubt than a piece had to have.

    :param looks: at all objects.
    :param wholes: from :func:`joinable`.
    :param tried: looks at the wholes.
    :param threshold: ``model.score_threshold``, which none of the pieces reached.
    :return: the objects that are then there, nearest first.
    """
    sure = [k for k, look in enumerate(tried)
            if look.scores.max() >= 1 - DOUBT * (1 - threshold)]
    gone = {i for k in sure for i in wholes[k].pieces}
    left = [look for i, look in enumerate(looks) if i not in gone] + [tried[k] for k in sure]
    return sorted(left, key=lambda look: np.linalg.norm(look.crop.box.center))
