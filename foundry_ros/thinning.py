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
"""Fewer points where time is short: every nth row and column, or larger voxels."""

from dataclasses import dataclass, replace

from foundry_ros.config import by_mode, Params
from foundry_ros.objects import Scene
import numpy as np

# Images are not made narrower than this; segmentation works at this width.
WIDTH = 320


@dataclass(frozen=True)
class Thinned:
    """
    What is left of a cloud.

    ``xyz`` (n, 3) float32 as of :func:`foundry_ros.crop.columns`, n = ``height`` * ``width``;
    ``kept`` (n,) int64 are their indices in the whole cloud. ``params`` are those for so few
    points.
    """

    xyz: np.ndarray
    height: int
    width: int
    kept: np.ndarray
    params: Params

    def restored(self, scene: Scene) -> Scene:
        """Give a scene of these points with indices into the whole cloud."""
        def back(item):
            return replace(item, indices=self.kept[item.indices])
        return replace(scene, objects=tuple(map(back, scene.objects)),
                       surfaces=tuple(map(back, scene.surfaces)))


def most(height: int, width: int, params: Params) -> int:
    """Tell the largest step that a cloud can be thinned by."""
    if height == 1 or params.objects.mode == 'lidar':
        return params.budget.max_thinning
    return max(1, min(params.budget.max_thinning, width // WIDTH))


def thin(xyz: np.ndarray, height: int, width: int, step: int, params: Params) -> Thinned:
    """
    Take every ``step``-th row and column of an organised cloud.

    The points of another cloud all stay: averaged over larger voxels they cost less.

    :param xyz: (N, 3) float32, N = ``height`` * ``width``; ``height`` 1 is not organised.
    :param params: whose numbers of points are for the whole cloud.
    """
    mode = params.objects.mode
    objects, model = by_mode(params.objects, mode), by_mode(params.model, mode)
    if height == 1 or mode == 'lidar':
        objects = replace(objects, voxel_size=objects.voxel_size * step)
        return Thinned(xyz, height, width, np.arange(len(xyz)), replace(params, objects=objects))
    image = xyz.T.reshape(3, height, width)[:, ::step, ::step]
    kept = np.arange(height * width).reshape(height, width)[::step, ::step].ravel()
    objects = replace(objects, min_points=max(objects.min_points // step ** 2, 1))
    model = replace(model, min_points=max(model.min_points // step ** 2, 1))
    return Thinned(np.ascontiguousarray(image).reshape(3, -1).T, *image.shape[1:], kept,
                   replace(params, objects=objects, model=model))
