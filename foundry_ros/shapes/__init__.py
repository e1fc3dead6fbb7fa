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
Everyday things with their true classes and parts, drawn at random at plausible metric sizes.

Classes are called as in ModelNet40, parts as in the Labelled Princeton Segmentation Benchmark
(lower case, ``category/part``); a class that the latter does not know has no parts.
"""

from foundry_ros.shapes import devices, figures, furniture, tableware
from foundry_ros.shapes.mesh import assemble, Mesh
import numpy as np

__all__ = ['CLASSES', 'FURNITURE', 'Mesh', 'TABLETOP', 'sample_object']

TABLETOP = {**tableware.MAKERS, **devices.MAKERS, **figures.SMALL}
FURNITURE = {**furniture.MAKERS, **figures.LARGE}
CLASSES = tuple(sorted({**TABLETOP, **FURNITURE}))


def sample_object(class_name: str, rng: np.random.Generator) -> Mesh:
    """
    Draw one thing of a class; style and dimensions follow the random generator.

    :param class_name: one of ``CLASSES``.
    :raises KeyError: a class that there is no shape for.
    """
    maker = TABLETOP.get(class_name) or FURNITURE[class_name]
    return assemble(maker(rng))
