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
"""A small organised cloud of a table with boxes on it, seen from above and aside."""

from foundry_ros.cloud import Cloud
import numpy as np

WIDTH, HEIGHT, FOCAL = 200, 150, 180.0
# centre on the table (x, y) and edges of each box, metres; z is up
BOXES = (((-0.2, 0.0), (0.12, 0.1, 0.15)), ((0.15, 0.05), (0.2, 0.16, 0.1)),
         ((0.0, -0.18), (0.1, 0.1, 0.2)))


def table_cloud(shift=0.0, stamp=0, boxes=BOXES) -> Cloud:
    """
    Look at the table.

    :param shift: of all boxes along x, metres.
    :return: an organised cloud in the camera's optical frame; the sky is NaN.
    """
    eye, forward = np.array([0.0, -0.8, 0.7]), np.array([0.0, 0.8, -0.6])
    right = np.array([1.0, 0.0, 0.0])
    axes = np.stack([right, np.cross(forward, right), forward])
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([(u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL, np.ones(u.shape)], axis=-1)
    world = rays @ axes
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = np.where(world[..., 2] < 0, -eye[2] / world[..., 2], np.inf)
        for (x, y), edges in boxes:
            low = np.array([x + shift - edges[0] / 2, y - edges[1] / 2, 0.0]) - eye
            bounds = np.stack([low, low + edges])[:, None, None] / world
            near, far = bounds.min(axis=0).max(axis=-1), bounds.max(axis=0).min(axis=-1)
            depth = np.where((near < far) & (near > 0) & (near < depth), near, depth)
    depth[(depth > 2.5) | ~np.isfinite(depth)] = np.nan
    xyz = (rays * depth[..., None]).reshape(-1, 3).astype(np.float32)
    return Cloud(xyz, HEIGHT, WIDTH, 'camera', stamp)
