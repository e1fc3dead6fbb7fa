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

"""The words of a bundle: classes, parts, which set's label means which, what is unknown."""

from typing import Dict, List

import numpy as np

from training.data import shapes
from training.data.shapes import NAMELESS, PSB_CLASSES, Shapes

# Classes of infomr that name something in the vocabulary, or might: they are never outliers.
KNOWN_TO_INFOMR = {
    'AquaticAnimal', 'Bed', 'Biplane', 'Bird', 'Bookset', 'Bottle', 'Car', 'Chess', 'ClassicPiano',
    'ComputerKeyboard', 'Computer', 'Cup', 'DeskLamp', 'Door', 'Fish', 'FloorLamp', 'Glasses',
    'Guitar', 'Hand', 'HumanHead', 'Humanoid', 'Insect', 'Jet', 'Monitor', 'Monoplane', 'Mug',
    'MultiSeat', 'NonWheelChair', 'PianoBoard', 'PlantIndoors', 'PlantWildNonTree', 'Quadruped',
    'RectangleTable', 'RoundTable', 'Shelf', 'Tool', 'Tree', 'Vase', 'WheelChair'}


def classes(modelnet: Shapes, parts: Shapes) -> List[str]:
    """Name the classes of the bundle: ModelNet's, then those that the other sets add."""
    names = list(modelnet.class_names)
    more = [*parts.class_names, *(n for n in shapes.SIMULATED if n not in NAMELESS)]
    return names + [n for n in more if n not in names]


def part_classes(parts: Shapes) -> Dict[str, List[str]]:
    """Map each category of the part set to the classes whose objects get its parts."""
    categories = sorted({name.split('/')[0] for name in parts.part_names})
    return {c: [PSB_CLASSES.get(c, c)] for c in categories}


def labels(shapes: Shapes, names: List[str]) -> np.ndarray:
    """Map a set's labels to the bundle's; -2 for what is none of its classes."""
    return np.array([names.index(n) if n in names else -2 for n in shapes.class_names])


def outlier_labels(infomr: Shapes, held_out: bool) -> np.ndarray:
    """
    Tell infomr's classes outside the vocabulary (-2) from all others (-1).

    Every second such class is kept out of training, to measure what is refused.
    """
    outside = [n for n in sorted(infomr.class_names) if n not in KNOWN_TO_INFOMR]
    chosen = set(outside[1::2] if held_out else outside[::2])
    return np.array([-2 if n in chosen else -1 for n in infomr.class_names])
