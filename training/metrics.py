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

"""Figures of merit: part IoU, calibration, detection of the unknown, intervals."""

import numpy as np


def part_iou(predicted: np.ndarray, truth: np.ndarray, parts: np.ndarray) -> float:
    """
    Give the IoU of one shape over its category's parts.

    A part that is absent and not predicted counts 1 (the convention of ShapeNetPart).

    :param predicted: (n,) part ids. :param truth: (n,). :param parts: ids of the category.
    """
    found = []
    for part in parts:
        union = ((predicted == part) | (truth == part)).sum()
        both = ((predicted == part) & (truth == part)).sum()
        found.append(both / union if union else 1.0)
    return float(np.mean(found))


def calibration_error(confidence: np.ndarray, hit: np.ndarray, bins: int = 15) -> float:
    """Give the expected calibration error of scores (n,) and hits (n,) bool (Guo et al. 2017)."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[which == b].mean() - hit[which == b].mean()) * (which == b).mean()
            for b in np.unique(which)]
    return float(sum(gaps))


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Give the chance that a known object scores higher than an unknown one; ties count half."""
    both = np.concatenate([known, unknown])
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    rank = (counts.cumsum() - (counts - 1) / 2)[inverse]
    above = rank[:len(known)].sum() - len(known) * (len(known) + 1) / 2
    return float(above / (len(known) * len(unknown)))


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Fit the one temperature that makes logits (n, classes) most likely on validation data."""
    from scipy.optimize import minimize_scalar

    def loss(log_t):
        scaled = logits / np.exp(log_t)
        scaled = scaled - scaled.max(1, keepdims=True)
        return -(scaled[np.arange(len(labels)), labels] - np.log(np.exp(scaled).sum(1))).mean()
    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method='bounded').x))


def interval(per_shape: np.ndarray, seed: int = 0, draws: int = 2000) -> float:
    """Half the width of the 95 % bootstrap interval of a mean over shapes (n,)."""
    rng = np.random.default_rng(seed)
    means = [per_shape[rng.integers(0, len(per_shape), len(per_shape))].mean()
             for _ in range(draws)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float((high - low) / 2)
