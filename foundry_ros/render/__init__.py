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
Pictures of what was found: the scene with boxes, names and parts, and a close-up of each object.

Drawn by numpy, with Pillow for type and lines.
"""

from pathlib import Path

from foundry_ros.cloud import Cloud
from foundry_ros.pipeline import Frame
from foundry_ros.render.closeups import closeups
from foundry_ros.render.scene import frame

__all__ = ['closeups', 'frame', 'save']


def save(result: Frame, cloud: Cloud, path) -> None:
    """
    Write the pictures of a frame: ``path`` and, where there are objects, ``<path>_objects.png``.

    :param result: what was found in the cloud.
    :raises OutputError: Pillow is not installed.
    :raises OSError: a picture cannot be written.
    """
    path = Path(path)
    frame(cloud, result).save(path, compress_level=3)
    if result.detections:
        closeups(cloud, result).save(path.with_name(f'{path.stem}_objects.png'),
                                     compress_level=3)
