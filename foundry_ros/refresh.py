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
Which objects the student looks at in a cloud, the most urgent first.

What has just come, what has changed since the last look, and names that have not settled; of the
rest, some in turn. Whatever is not looked at keeps what was said of it.
"""

import math
from typing import List, Sequence

from foundry_ros.config import TracksParams
from foundry_ros.objects import ObjectCrop
from foundry_ros.tracks import Track
import numpy as np

# A name changes little after so many looks.
SETTLED = 5
# An object has changed when its box has moved by more than this share of its longest edge, or an
# edge or the number of its points has changed by more than these factors: above the noise of a
# depth camera at rest.
MOVED, RESIZED, RECOUNTED = 0.1, 1.2, 1.5


def due(tracks: Sequence[Track], crops: Sequence[ObjectCrop], now: float, gap: float,
        params: TracksParams) -> List[int]:
    """
    List the objects to look at.

    :param tracks: of the objects.
    :param crops: how they are seen now.
    :param now: seconds, by the stamps of the clouds.
    :param gap: seconds since the cloud before.
    :return: their indices, most urgent first.
    """
    if not params.enabled:
        return list(range(len(tracks)))
    urgent, waiting = [], []
    for i, (track, crop) in enumerate(zip(tracks, crops)):
        if track.looks == 0:
            urgent.append((0, i))
        elif changed(track.look.crop, crop):
            urgent.append((1, i))
        elif track.looks < SETTLED:
            urgent.append((2, i))
        elif not 0 <= now - track.looked_at < params.refresh_s:  # or the clock went back
            waiting.append((3, i))
    # in turn, so that no cloud gets all of them
    turn = (len(waiting) if gap >= params.refresh_s
            else math.ceil(len(tracks) * gap / params.refresh_s))
    order = sorted(urgent + _oldest(waiting, tracks)[:turn],
                   key=lambda item: (item[0], tracks[item[1]].looked_at))
    return [i for _, i in order]


def _oldest(waiting, tracks):
    return sorted(waiting, key=lambda item: tracks[item[1]].looked_at)


def changed(before: ObjectCrop, after: ObjectCrop) -> bool:
    """Tell whether an object looks so different that it is worth another look."""
    edge = before.box.size.max()
    if np.linalg.norm(after.box.center - before.box.center) > MOVED * edge:
        return True
    ratio = np.abs(np.log(np.sort(after.box.size)[1:] / np.sort(before.box.size)[1:]))
    recounted = abs(math.log(len(after.indices) / len(before.indices)))
    return ratio.max() > math.log(RESIZED) or recounted > math.log(RECOUNTED)
