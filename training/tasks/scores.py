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
Figures of fine-tuned students from what they say: shared by all that measure.

Every cloud counts alike; intervals are over shapes, of which each is seen in several clouds.
"""

from typing import Dict

import numpy as np

from training import metrics

KINDS = ('complete', 'single_view')


def by_kind(single: np.ndarray) -> Dict[str, np.ndarray]:
    """Give which of the clouds (M,) are whole ones and which are single views."""
    return {'complete': ~single, 'single_view': single}


def accuracy(hit: np.ndarray, single: np.ndarray, shapes: int) -> Dict[str, dict]:
    """
    Give overall accuracy and its interval on whole clouds and on single views.

    :param hit: (M,) bool. :param single: (M,) bool; of every shape as many, in order.
    """
    return {kind: {'accuracy': float(hit[mask].mean()),
                   'interval': metrics.interval(hit[mask].reshape(shapes, -1).mean(1))}
            for kind, mask in by_kind(single).items()}


def packed(hit: np.ndarray) -> str:
    """Write (M,) bool in hexadecimal, four a digit."""
    return np.packbits(hit).tobytes().hex()


def unpacked(text: str, shapes: int, clouds: int) -> np.ndarray:
    """Read what :func:`packed` wrote of so many clouds of each shape: (shapes, clouds) bool."""
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=shapes * clouds)
    return bits.astype(bool).reshape(shapes, clouds)


def at_points(logits: np.ndarray, near: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Carry part logits (c, parts) of the groups to the points: (m, parts)."""
    return (logits[near] * weight[..., None].astype(np.float32)).sum(1)


def iou(at: np.ndarray, truth: np.ndarray, category: np.ndarray, own: str, given: str) -> float:
    """
    Give the part IoU of a cloud.

    :param at: (m, parts) logits at the points. :param truth: (m,). :param category: (parts,) of
        each part. :param own: category of the shape. :param given: that among whose parts is
        chosen; empty for none.
    """
    guess = np.full(len(at), -1)
    if given:
        guess = (at + np.where(category == given, 0, -np.inf)).argmax(1)
    return metrics.part_iou(guess, truth, np.flatnonzero(category == own))


def mean_ious(found: np.ndarray, own: np.ndarray):
    """Average IoUs (M, ...) over clouds and over categories ``own`` (M,): mIoU_I, mIoU_C."""
    by_category = [found[own == c].mean(0) for c in np.unique(own)]
    return found.mean(0), np.mean(by_category, axis=0)


def some(single: np.ndarray, shape: np.ndarray, clouds: int) -> np.ndarray:
    """Choose the first ``clouds`` whole clouds and single views of each shape: rows, in order."""
    kept = []
    for mask in by_kind(single).values():
        rows = np.flatnonzero(mask)
        first = np.searchsorted(shape[rows], shape[rows])
        kept.append(rows[np.arange(len(rows)) - first < clouds])
    return np.sort(np.concatenate(kept))
