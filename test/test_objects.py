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

"""Objects out of clouds: on tables, in rooms, in sweeps, and in nothing at all."""

from pathlib import Path

from depth_camera import best_overlaps, HEIGHT, look, UP, WIDTH
from foundry_ros.bench_objects import format_table, run, score
from foundry_ros.config import CropParams, ObjectsParams
from foundry_ros.crop import region
from foundry_ros.objects import find_objects, groups
import numpy as np
import pytest

APART = ((-0.25, 0.0, 0, 0.12, 0.1, 0.15), (0.15, 0.1, 0, 0.2, 0.16, 0.1),
         (0.0, -0.18, 0, 0.1, 0.1, 0.06))
STACKED = ((0.0, 0.0, 0, 0.3, 0.24, 0.08), (0.02, 0.02, 0.08, 0.12, 0.1, 0.12))
TOUCHING = ((-0.1, 0.0, 0, 0.2, 0.12, 0.12), (0.06, -0.02, 0, 0.12, 0.2, 0.2))
FRAMES = Path(__file__).parents[2] / 'shared' / 'data' / 'mosd'


def find(xyz, height=HEIGHT, width=WIDTH, up=None, **params):
    """Find objects with the default region."""
    params = ObjectsParams(**params)
    return find_objects(xyz, region(xyz, CropParams(), params.mode), height, width, params, up)


def unordered(xyz, truth):
    """Give the finite points alone, shuffled: a cloud that is not organised."""
    order = np.random.default_rng(1).permutation(np.flatnonzero(np.isfinite(xyz[:, 2])))
    return xyz[order], truth[order]


@pytest.mark.parametrize('boxes', [APART, STACKED, TOUCHING])
@pytest.mark.parametrize('noise', [0.0, 0.001])
@pytest.mark.parametrize('organised', [True, False])
def test_boxes_apart_stacked_and_touching(boxes, noise, organised):
    """Each box is one object: a concave crease parts what touches."""
    xyz, truth = look(boxes, noise=noise)
    if organised:
        scene = find(xyz)
    else:
        xyz, truth = unordered(xyz, truth)
        scene = find(xyz, 1, len(xyz))
    assert len(scene.objects) == len(boxes)
    assert min(best_overlaps([crop.indices for crop in scene.objects], truth)) > 0.8


def test_table_and_up():
    """The table is the one support surface; its normal is up; its points are the table's."""
    xyz, truth = look(APART)
    scene = find(xyz)
    assert len(scene.surfaces) == 1
    assert np.allclose(scene.up, UP, atol=0.01)
    table = scene.surfaces[0]
    assert np.allclose(table.normal, UP, atol=0.01)
    assert table.offset == pytest.approx(-0.6, abs=0.005)
    assert (truth[table.indices] == 0).mean() > 0.98
    assert len(table.indices) > 0.95 * ((truth == 0) & np.isfinite(xyz[:, 2])).sum()


def test_boxes_around_the_objects():
    """The box has the metric size of the object and stands on the table."""
    scene = find(look(APART)[0], up=UP)
    found = sorted(crop.box.size[2] for crop in scene.objects)
    assert np.allclose(found, [0.06, 0.1, 0.15], atol=0.012)
    for crop in scene.objects:
        bottom = crop.box.center @ UP - crop.box.size[2] / 2
        assert bottom == pytest.approx(-0.6, abs=0.01)
        assert np.allclose(crop.up, UP)


def test_nearest_first_and_no_point_twice():
    """Objects come by distance, and share no point."""
    scene = find(look(APART)[0])
    distances = [np.linalg.norm(crop.box.center) for crop in scene.objects]
    assert distances == sorted(distances)
    everything = np.concatenate([crop.indices for crop in scene.objects])
    assert len(np.unique(everything)) == len(everything)
    assert everything.dtype == np.int64


def test_halves_behind_an_occluder_are_one_object():
    """A bar that something stands in front of continues behind it."""
    boxes = ((0.0, 0.2, 0, 0.5, 0.1, 0.1), (0.0, -0.05, 0, 0.08, 0.08, 0.25))
    xyz, truth = look(boxes, noise=0.001)
    scene = find(xyz)
    assert len(scene.objects) == 2
    assert min(best_overlaps([crop.indices for crop in scene.objects], truth)) > 0.85


def test_two_bars_in_line_with_a_free_gap_are_two():
    """Where the table shows between them, two things are two."""
    boxes = ((-0.16, 0.1, 0, 0.22, 0.1, 0.1), (0.16, 0.1, 0, 0.22, 0.1, 0.1))
    assert len(find(look(boxes)[0]).objects) == 2


def test_bowl_is_one_object():
    """The hollow inside of a bowl and the wall in front of it belong together."""
    xyz, truth = look(bowls=((0.0, 0.0, 0.1),), noise=0.0005)
    scene = find(xyz)
    assert best_overlaps([crop.indices for crop in scene.objects], truth)[0] > 0.85


def test_wall_behind_the_table_is_no_object():
    """A wall is neither object nor support, whether up is known or not."""
    wall = (0.0, 0.65, -0.5, 3.0, 0.1, 3.0)
    xyz, truth = look((wall, *APART), far=2.5)
    for up in (None, UP):
        scene = find(xyz, up=up)
        assert np.allclose(scene.up, UP, atol=0.02)
        assert len(scene.objects) == 3
        assert all((truth[crop.indices] > 1).mean() > 0.9 for crop in scene.objects)


def test_floor_and_table_are_both_supports():
    """A box on the floor beside the table is found, too."""
    table = (-0.35, 0.1, -0.3, 0.8, 0.9, 0.3)
    floor_box = (0.3, 0.15, -0.3, 0.15, 0.15, 0.12)
    xyz, truth = look_with_floor((table, floor_box, (-0.2, 0.1, 0, 0.12, 0.1, 0.15)))
    scene = find(xyz)
    assert len(scene.surfaces) == 2
    overlaps = best_overlaps([crop.indices for crop in scene.objects], truth)
    assert min(overlaps[1:]) > 0.8


def look_with_floor(boxes):
    """Lower the scene so that z = -0.3 of the boxes is the floor."""
    from depth_camera import look
    return look([(x, y, z + 0.3, *edges) for x, y, z, *edges in boxes])


def test_limits_of_size():
    """Minimum and maximum size, points and number each leave objects out."""
    xyz = look(APART)[0]
    assert len(find(xyz, max_size=0.19).objects) == 2
    assert len(find(xyz, min_size=0.16).objects) == 1
    assert len(find(xyz, max_objects=2).objects) == 2
    assert len(find(xyz, min_points=100000).objects) == 0
    assert len(find(xyz, max_height=0.05).objects) <= 3
    assert all(crop.box.size[2] < 0.07 for crop in find(xyz, max_height=0.05).objects)


def test_without_surface_removal_a_lone_object_stays_whole():
    """A crop of one thing, without any table, is one object; nothing is taken off."""
    xyz, truth = look(TOUCHING[:1])
    keep = truth == 1
    scene = find(np.where(keep[:, None], xyz, np.nan).astype(np.float32), remove_surfaces=False)
    assert len(scene.objects) == 1 and scene.surfaces == ()
    assert len(scene.objects[0].indices) > 0.9 * keep.sum()


@pytest.mark.parametrize('organised', [True, False])
@pytest.mark.parametrize('mode', ['tabletop', 'room', 'lidar'])
def test_nothing_in_nothing_out(organised, mode):
    """No cloud without objects raises, whatever it lacks."""
    plane = look()[0]
    line = np.zeros((HEIGHT * WIDTH, 3), np.float32)
    line[:, 2] = np.linspace(0.5, 1, len(line))
    for xyz in (np.full_like(plane, np.nan), plane, line, np.full_like(plane, 0.5), -plane):
        shape = (HEIGHT, WIDTH) if organised else (1, len(xyz))
        scene = find(xyz, *shape, mode=mode)
        assert np.linalg.norm(scene.up) == pytest.approx(1)
    if mode != 'lidar':  # for which a table is no ground
        assert find(plane, *shape, mode=mode).objects == ()
    empty = np.zeros((0, 3), np.float32)
    assert find(empty, 0 if organised else 1, 0, mode=mode).objects == ()
    assert find(np.ones((1, 3), np.float32), 1, 1, mode=mode).objects == ()


def test_the_same_cloud_gives_the_same_scene():
    """Nothing is left to chance."""
    xyz = look(STACKED, noise=0.001)[0]
    first, second = find(xyz), find(xyz)
    assert np.array_equal(first.up, second.up)
    for a, b in zip(first.objects, second.objects):
        assert np.array_equal(a.indices, b.indices)
        assert np.array_equal(a.box.orientation, b.box.orientation)


def test_view_of_a_message_is_as_good_as_a_copy():
    """Strided points, as zero-copy reading gives them, make no difference."""
    xyz = look(APART)[0]
    wide = np.zeros((len(xyz), 8), np.float32)
    wide[:, :3] = xyz
    expected = [crop.indices for crop in find(xyz).objects]
    found = [crop.indices for crop in find(wide[:, :3]).objects]
    assert all(np.array_equal(a, b) for a, b in zip(expected, found))


def test_sweep_over_sloping_ground():
    """A 3D lidar finds cars and posts on ground that no plane fits."""
    rng = np.random.default_rng(0)
    flat = rng.uniform(-25, 25, (40000, 2))
    ground = np.column_stack([flat, -1.8 + 0.002 * (flat ** 2).sum(axis=1)])
    cars = [(8, 3), (-10, 5), (4, -14)]
    points = [ground[(np.linalg.norm(flat, axis=1) > 2)]]
    for x, y in cars:
        base = -1.8 + 0.002 * (x * x + y * y)
        points.append(rng.uniform([x - 2, y - 0.9, base + 0.1], [x + 2, y + 0.9, base + 1.5],
                                  (1500, 3)))
    xyz = np.concatenate(points).astype(np.float32)
    scene = find(xyz, 1, len(xyz), mode='lidar')
    assert len(scene.objects) == 3
    for x, y in cars:
        box = min((crop.box for crop in scene.objects),
                  key=lambda box: np.hypot(*(box.center[:2] - (x, y))))
        assert np.hypot(*(box.center[:2] - (x, y))) < 0.3
        assert np.allclose(box.size, [4, 1.8, 1.5], atol=0.4)


def test_groups():
    """Members by label, in order, without those of label 0."""
    found = groups(np.array([2, 0, 1, 2, 1, 0], np.int32))
    assert [g.tolist() for g in found] == [[2, 4], [0, 3]]
    assert groups(np.zeros(3, int)) == []


def test_score_counts_what_the_bench_reports():
    """Found, false and fragment follow their definitions."""
    truth = np.zeros((40, 100), int)
    truth[:20, :50], truth[:20, 50:] = 1, 2
    flat = np.arange(truth.size).reshape(truth.shape)
    masks = [flat[:20, :45].ravel(), flat[:20, 60:80].ravel(), flat[20:, :30].ravel(),
             flat[30:, 60:70].ravel()]
    result = score(masks, truth)
    assert (result['true'], result['found'], result['false'], result['fragments']) == (2, 1, 1, 1)
    assert result['iou'] == pytest.approx(0.9 + 0.4)
    assert score([], truth)['found'] == 0


@pytest.mark.skipif(not FRAMES.exists(), reason=f'needs the labelled frames in {FRAMES}')
def test_labelled_frames():
    """The goals for objects hold on the labelled Kinect frames."""
    result = run(str(FRAMES), repeat=1)['all']
    assert result['recall'] >= 0.95, format_table({'all': result})
    assert result['iou'] >= 0.88
    assert result['false'] <= 0.1
    assert result['fragments'] <= 1.0
