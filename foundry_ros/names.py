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
"""From raw scores to names: calibrated, checked against the metric size, or ``unknown``."""

from typing import List, Mapping, Sequence, Tuple

from foundry_ros.bundle import Bundle
from foundry_ros.tokens import interpolate
import numpy as np

UNKNOWN = 'unknown'
NO_PART = -1
# A box of a partial view is not exact: outside its range a class fades, to nothing at this factor.
SIZE_SLACK = 1.3
# How strongly mass that the size rules out speaks for "none of these".
RULED_OUT = 0.1
LEAST_ALTERNATIVE = 0.005


def class_scores(logits: np.ndarray, edges: np.ndarray, bundle: Bundle,
                 use_size: bool = True, mode: str = '') -> np.ndarray:
    """
    Score the classes of objects.

    Softmax at the bundle's temperature (Guo et al. 2017), p. The score of class c is
    p(c) fit(c) / (S + 0.1 (1 - S)) with S = sum of p fit, where fit is how well the metric size
    suits the class, and nothing for classes that do not occur in this kind of scene. So if that
    leaves the favourite standing, the others' mass goes to it; if hardly anything stands (S near
    0), all scores stay low and the object ends as unknown, not as the least absurd class.

    :param logits: (B, classes) raw.
    :param edges: (B,) longest edge of each object's box, metres.
    :param use_size: false lets every size pass.
    :param mode: ``objects.mode``; the bundle may say which classes occur there.
    :return: (B, classes) in [0, 1], rows sum to at most 1; rows of not finite logits are 0.
    """
    finite = np.isfinite(logits).all(axis=1, keepdims=True)
    scaled = np.where(finite, logits, 0).astype(np.float64) / bundle.score_temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    scores = scaled / scaled.sum(axis=1, keepdims=True) * finite
    if use_size:
        scores = scores * size_fits(edges, bundle.classes, bundle.class_sizes)
    if mode in bundle.mode_classes:
        scores = scores * np.isin(bundle.classes, bundle.mode_classes[mode])
    standing = scores.sum(axis=1, keepdims=True)
    return scores / (standing + RULED_OUT * (1 - standing))


def size_fits(edges: np.ndarray, classes: Sequence[str],
              sizes: Mapping[str, Tuple[float, float]]) -> np.ndarray:
    """
    Tell how well metric sizes fit classes.

    :param edges: (B,) longest edges, metres.
    :param sizes: class -> (least, largest); a class that is not listed fits any size.
    :return: (B, classes): 1 within the range, fading with the logarithm of the factor beyond it.
    """
    low = np.array([sizes.get(name, (0.0, np.inf))[0] for name in classes])
    high = np.array([sizes.get(name, (0.0, np.inf))[1] for name in classes])
    edges = np.maximum(np.asarray(edges, np.float64), 1e-9)[:, None]
    beyond = np.maximum(np.maximum(low / edges, edges / high), 1.0)
    return np.clip(1 - np.log(beyond) / np.log(SIZE_SLACK), 0, 1)


def best(scores: np.ndarray, classes: Sequence[str], threshold: float, count: int
         ) -> Tuple[str, float, Tuple[Tuple[str, float], ...]]:
    """
    Name an object.

    :param scores: (classes,).
    :param threshold: below it the object is unknown.
    :param count: how many hypotheses to list.
    :return: label, score of the best class, and the best classes with their scores, best first;
        the label is among them unless it is unknown.
    """
    order = np.argsort(-scores, kind='stable')[:count]
    listed = tuple((classes[i], float(scores[i])) for i in order
                   if scores[i] >= LEAST_ALTERNATIVE)
    top = int(np.argmax(scores))
    score = float(scores[top])
    return (classes[top] if score >= threshold else UNKNOWN), score, listed


def part_ids(label: str, bundle: Bundle) -> List[int]:
    """List the global ids of the parts that objects of a class can have."""
    categories = [category for category, classes in bundle.part_classes.items()
                  if label in classes]
    return [i for i, part in enumerate(bundle.parts) if part.partition('/')[0] in categories]


def name_parts(label: str, part_logits: np.ndarray, centers: np.ndarray, points: np.ndarray,
               bundle: Bundle) -> Tuple[np.ndarray, np.ndarray]:
    """
    Give each point of an object its part, among those of its class.

    :param part_logits: (64, parts) a group.
    :param centers: (64, 3) of the groups.
    :param points: (n, 3) in the same, normalised frame.
    :return: global part ids (n,) int32, -1 where the class has no parts, and their probability
        among the class's parts (n,) float32.
    """
    ids = part_ids(label, bundle)
    if not ids or not np.isfinite(part_logits).all():
        return np.full(len(points), NO_PART, np.int32), np.zeros(len(points), np.float32)
    logits = interpolate(part_logits[:, ids], centers, points)
    chosen = logits.argmax(axis=1)
    scores = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    return np.asarray(ids, np.int32)[chosen], scores.astype(np.float32)
