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

"""A depth camera over a table with boxes and bowls, ray by ray: clouds with known objects."""

import numpy as np

WIDTH, HEIGHT, FOCAL = 320, 240, 260.0
EYE, FORWARD = np.array([0.0, -0.75, 0.6]), np.array([0.0, 0.8, -0.6])
UP = np.array([0.0, -0.8, -0.6])  # of the table, in the camera's optical frame


def look(boxes=(), bowls=(), noise=0.0, far=1.6):
    """
    Look at a table (z = 0) from its front edge.

    :param boxes: (centre x, y, base z, edges x, y, z) each, metres, the table's frame.
    :param bowls: (x, y, radius): hemispherical shells standing open on the table.
    :param noise: standard deviation along the ray, metres.
    :return: (H * W, 3) float32 in the optical frame, NaN beyond ``far``; (H * W,) int, 0 for the
        table and nothing, boxes from 1, then the bowls.
    """
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([(u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL, np.ones(u.shape)], axis=-1)
    right = np.array([1.0, 0.0, 0.0])
    world = rays @ np.stack([right, np.cross(FORWARD, right), FORWARD])
    with np.errstate(divide='ignore', invalid='ignore'):
        hits = [np.where(world[..., 2] < 0, -EYE[2] / world[..., 2], np.inf)]
        hits += [_box(world, box) for box in boxes]
        hits += [_bowl(world, *bowl) for bowl in bowls]
    depth, truth = np.min(hits, axis=0), np.argmin(hits, axis=0)
    depth[~(depth < far)] = np.nan
    depth += np.random.default_rng(0).normal(0, noise, depth.shape) if noise else 0
    truth[np.isnan(depth)] = 0
    return (rays * depth[..., None]).reshape(-1, 3).astype(np.float32), truth.ravel()


def _box(rays, box):
    """Give the depth at which each ray meets a box."""
    edges = np.array(box[3:])
    low = np.array([box[0] - edges[0] / 2, box[1] - edges[1] / 2, box[2]]) - EYE
    bounds = np.stack([low, low + edges])[:, None, None] / rays
    near, far = bounds.min(axis=0).max(axis=-1), bounds.max(axis=0).min(axis=-1)
    return np.where((near < far) & (near > 0), near, np.inf)


def _bowl(rays, x, y, radius):
    """Give the depth at which each ray meets the lower half of a sphere."""
    center = np.array([x, y, radius]) - EYE
    a, b = (rays * rays).sum(axis=-1), (rays * center).sum(axis=-1)
    root = np.sqrt(b * b - a * (center @ center - radius * radius))
    depth = np.full(a.shape, np.inf)
    for side in (-1, 1):
        t = (b + side * root) / a
        wall = (t > 0) & (EYE[2] + t * rays[..., 2] < radius) & (t < depth)
        depth = np.where(wall, t, depth)
    return depth


def best_overlaps(found, truth):
    """Give the best intersection over union of each true object with the found indices."""
    masks = [np.isin(np.arange(len(truth)), indices) for indices in found]
    return [max(((mask & (truth == k)).sum() / (mask | (truth == k)).sum() for mask in masks),
                default=0.0) for k in range(1, truth.max() + 1)]
