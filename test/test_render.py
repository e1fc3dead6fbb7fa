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

"""Pictures: what they show and that they can be drawn of anything."""

from dataclasses import replace

from foundry_ros.boxes import upright_axes, upright_box
from foundry_ros.cloud import Cloud
from foundry_ros.objects import Scene
from foundry_ros.pipeline import Detection, Frame
from foundry_ros.render import closeups, drawing, frame, save
from foundry_ros.render.footer import footer, legend
from foundry_ros.render.overlay import _free_place, _overlap, draw_names
from foundry_ros.render.splat import draw_points, splat, splat_width
from foundry_ros.render.viewpoint import box_corners, choose
import numpy as np
from PIL import Image
import pytest

UP = np.array([0.0, -0.8, -0.6])
LATENCY = {'crop': 1.0, 'segment': 20.0, 'tokens': 5.0, 'student': 8.0, 'total': 36.0}


def detection(xyz, indices, label='cup', score=.9, parts=None, names=None):
    """Make a detection of some points."""
    indices = np.asarray(indices)
    parts = np.full(len(indices), -1, np.int32) if parts is None else parts
    return Detection('1', label, score, ((label, score), ('vase', .1)),
                     upright_box(xyz[indices], upright_axes(UP)), indices, parts,
                     np.full(len(indices), score, np.float32), names or {})


def result(*detections, up=UP):
    """Make a frame of detections."""
    return Frame(0, 'camera', 16, LATENCY, detections, Scene((), (), up))


@pytest.fixture
def table():
    """Make an organised cloud: a plane seen at a slant, with two raised squares on it."""
    v, u = np.mgrid[:120, :160]
    rays = np.stack([(u - 79.5) / 130, (v - 59.5) / 130, np.ones_like(u, float)], axis=-1)
    height = np.zeros(u.shape)
    height[50:80, 30:60] = .08
    height[50:80, 100:130] = .08
    depth = (-.7 + height) / (rays @ UP)
    xyz = (rays * depth[..., None]).reshape(-1, 3).astype(np.float32)
    xyz[::97] = np.nan
    index = np.arange(len(xyz)).reshape(u.shape)
    good = np.isfinite(xyz[:, 2])
    squares = [index[50:80, a:a + 30].ravel() for a in (30, 100)]
    return Cloud(xyz, 120, 160), [s[good[s]] for s in squares]


def test_view_shows_every_box_from_a_little_higher(table):
    """All corners are in the picture, and the eye is above the sensor."""
    cloud, squares = table
    boxes = [detection(cloud.xyz, s).box for s in squares]
    view = choose(cloud.xyz[np.isfinite(cloud.xyz[:, 2])], boxes, UP, (640, 400))
    u, v, depth = view.project(np.concatenate([box_corners(box) for box in boxes]))
    assert (u > 0).all() and (u < 640).all() and (v > 0).all() and (v < 400).all()
    assert (depth > 0).all() and view.eye @ UP > 0.01
    low, high = view.project(np.zeros((1, 3)) + 1e-3), view.project(UP[None] + (0, 0, 1))
    assert high[1] < low[1]  # up is up


def test_sweep_is_seen_from_above():
    """A scan all around the sensor is looked down at, not from within."""
    rng = np.random.default_rng(0)
    angle, reach = rng.uniform(0, 2 * np.pi, 5000), rng.uniform(3, 30, 5000)
    xyz = np.column_stack([reach * np.cos(angle), reach * np.sin(angle), np.full(5000, -1.8)])
    view = choose(xyz, (), np.array([0., 0, 1]), (640, 400))
    u, v, depth = view.project(xyz)
    assert view.eye[2] > 5
    assert np.mean((u > 0) & (u < 640) & (v > 0) & (v < 400) & (depth > 0)) > .9


def test_nearest_point_wins():
    """Of two points on one pixel the nearer is drawn, whatever their order."""
    view = choose(np.array([[0, 0, 1.], [.5, .3, 1], [-.5, -.3, 1]]), (), np.array([0., -1, 0]),
                  (64, 48))
    ray = np.array([0, 0, 1.]) - view.eye
    points = view.eye + np.array([[1.2], [0.8], [1.0]]) * ray
    depth, index = splat(points, view, 5)
    assert set(np.unique(index)) == {-1, 1}
    assert (index == 1).sum() >= 13 and np.isnan(depth[index == -1]).all()
    assert depth[index == 1] == pytest.approx(0.8 * np.linalg.norm(ray), rel=1e-4)


def test_surface_is_closed():
    """The points of a plane leave no holes, however many they are."""
    for count in (2500, 40000):
        side = int(np.sqrt(count))
        x, y = np.meshgrid(np.linspace(-.5, .5, side), np.linspace(-.4, .4, side))
        xyz = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3)
        view = choose(xyz, (), np.array([0., -1, 0]), (320, 240))
        index = draw_points(xyz, np.full((len(xyz), 3), 200, np.uint8), view, .5)[1]
        rows, columns = np.nonzero(index >= 0)
        inner = index[rows.min() + 4:rows.max() - 3, columns.min() + 12:columns.max() - 11]
        assert np.mean(inner < 0) < .02
    assert splat_width(xyz[:3], view) % 2 == 1


def test_parts_and_unknown_have_their_colours(table):
    """Close to its colour on the object's pixels; what is unknown is grey."""
    cloud, squares = table
    parts = np.full(len(squares[0]), 45, np.int32)
    cup = detection(cloud.xyz, squares[0], parts=parts, names={45: 'cup/handle'})
    odd = detection(cloud.xyz, squares[1], 'unknown', .3)
    frames = result(cup, odd)
    image = np.asarray(frame(cloud, frames, (640, 480)), float)
    assert image.shape == (480, 640, 3)
    view = choose(cloud.xyz[np.isfinite(cloud.xyz[:, 2])], [cup.box, odd.box], UP,
                  (640, 480 - 84))
    for item, color in ((cup, drawing.part_color(45)), (odd, drawing.STRANGE)):
        u, v, _ = view.project(cloud.xyz[item.indices].mean(axis=0)[None])
        patch = image[int(v[0]) - 3:int(v[0]) + 4, int(u[0]) - 3:int(u[0]) + 4].mean(axis=(0, 1))
        color = np.array(color, float)
        assert np.linalg.norm(patch / patch.max() - color / color.max()) < .12


def test_neighbouring_parts_differ_in_colour():
    """Consecutive ids, which one category's parts have, never look alike."""
    for first in range(8):
        for second in range(first + 1, first + 8):
            a, b = (np.array(drawing.part_color(i), float) for i in (first, second))
            assert np.abs(a - b).max() > 50


def test_legend_names_what_is_there(table):
    """Parts by category, and what white and grey mean."""
    cloud, squares = table
    cup = detection(cloud.xyz, squares[0], parts=np.full(len(squares[0]), 45, np.int32),
                    names={45: 'cup/handle', 44: 'cup/body'})
    odd = detection(cloud.xyz, squares[1], 'unknown', .3)
    groups = legend(result(cup, odd))
    assert [[name for name, _ in group] for group in groups] == [['cup', 'handle'],
                                                                 ['', 'unknown']]


@pytest.mark.parametrize('count, words', [(0, '0 objects'), (1, '1 object'), (2, '2 objects')])
def test_footer_counts(table, monkeypatch, count, words):
    """One object is no objects."""
    cloud, squares = table
    written, text = [], drawing.text
    monkeypatch.setattr(drawing, 'text', lambda draw, place, *rest, **style: (
        written.append(rest[0]), text(draw, place, *rest, **style))[1])
    footer(result(*[detection(cloud.xyz, square) for square in squares[:count]]), 1280)
    assert words in written


def test_tags_make_room_for_each_other():
    """Ten names at one place do not cover each other, and stay in the picture."""
    taken = []
    for _ in range(10):
        box = _free_place((300., 100.), 90., 26, (640, 400), taken)
        assert 0 <= box[0] and box[2] <= 640 and 0 <= box[1] and box[3] <= 400
        assert not any(_overlap(box, other) for other in taken)
        taken.append(box)


def test_save_writes_both_pictures(table, tmp_path):
    """The scene and the close-ups, as PNG of the promised size."""
    cloud, squares = table
    save(result(*(detection(cloud.xyz, s) for s in squares)), cloud, tmp_path / '000003.png')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['000003.png', '000003_objects.png']
    with Image.open(tmp_path / '000003.png') as image:
        assert image.size == (1280, 960)
    with Image.open(tmp_path / '000003_objects.png') as image:
        assert image.size[0] < 700  # two cards


@pytest.mark.parametrize('xyz', [
    np.zeros((0, 3)), np.full((50, 3), np.nan), np.array([[0, 0, 1.]]), np.zeros((4, 3)),
    np.array([[0, 0, 1.], [np.inf, 0, 1]])], ids=['empty', 'nan', 'one', 'zero', 'inf'])
def test_poor_clouds_can_be_drawn(xyz, tmp_path):
    """Without points, or next to none, there is a picture all the same, and only one."""
    cloud = Cloud(xyz.astype(np.float32), 1, len(xyz))
    picture = frame(cloud, result(), (320, 240))
    assert picture.size == (320, 240)
    save(result(), Cloud(cloud.xyz[:0], 1, 0), tmp_path / 'a.png')
    assert [p.name for p in tmp_path.iterdir()] == ['a.png']


def test_a_closed_shape_hides_its_back():
    """Random points on a ball: those of its far side do not show between the near ones."""
    xyz = np.random.default_rng(0).normal(size=(12000, 3))
    xyz *= 0.1 / np.linalg.norm(xyz, axis=1, keepdims=True)
    xyz += (0, 0, 1)
    view = choose(xyz, (), np.array([0., -1, 0]), (640, 480))
    index = draw_points(xyz, np.full((len(xyz), 3), 200, np.uint8), view, .5)[1]
    rows, columns = np.nonzero(index >= 0)
    row, column = (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2
    inner = index[row - 150:row + 150, column - 150:column + 150]
    shown = xyz[inner[inner >= 0]] - (0, 0, 1)
    assert (inner < 0).mean() < 0.01
    assert (shown @ (view.eye - (0, 0, 1)) > 0).mean() > 0.9


def test_the_lines_of_a_sweep_stay_lines():
    """Rings far apart on the ground are not drawn so wide that they touch."""
    angle = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    xyz = np.concatenate([r * ring for r in 4 * 1.25 ** np.arange(9)]) - (0, 0, 1.8)
    view = choose(xyz, (), np.array([0., 0, 1]), (640, 480))
    index = draw_points(xyz, np.full((len(xyz), 3), 200, np.uint8), view, .5)[1]
    assert 0.02 < (index >= 0).mean() < 0.4


def test_a_ceiling_hides_nothing():
    """Of a room scanned all around, what is above all objects is left out."""
    rng = np.random.default_rng(0)
    floor, ceiling = (rng.uniform((-3, -3, z), (3, 3, z), (6000, 3)) for z in (-1.2, 1.5))
    thing = rng.uniform((0.5, 0.5, -1.2), (1.5, 1.5, 0), (3000, 3))
    xyz = np.concatenate([thing, floor, ceiling]).astype(np.float32)
    white = np.where(np.arange(len(xyz))[:, None] < 9000, 0, 255) * np.ones(3)
    up = np.array([0., 0, 1])
    found = detection(xyz, np.arange(3000), 'unknown', .3)
    found = replace(found, box=upright_box(xyz[:3000], upright_axes(up)))
    picture = frame(Cloud(xyz, 1, len(xyz), rgb=white.astype(np.uint8)), result(found, up=up),
                    (320, 240))
    without = frame(Cloud(xyz[:9000], 1, 9000, rgb=white[:9000].astype(np.uint8)),
                    result(found, up=up), (320, 240))
    difference = np.abs(np.asarray(picture, int) - np.asarray(without, int)).mean()
    assert difference < 3


def test_unknown_things_have_tags_only_where_there_are_few(table, monkeypatch):
    """Tags of what is known stay; what is unknown never has a score."""
    cloud, squares = table
    written, text = [], drawing.text
    monkeypatch.setattr(drawing, 'text', lambda draw, place, *rest, **style: (
        written.append(rest[0]), text(draw, place, *rest, **style))[1])
    cup, odd = detection(cloud.xyz, squares[0]), detection(cloud.xyz, squares[1], 'unknown', .31)
    view = choose(cloud.xyz[squares[0]], [cup.box, odd.box], UP, (640, 400))
    for count, expected in ((1, {'cup', '0.90', 'unknown'}), (4, {'cup', '0.90'})):
        written.clear()
        draw_names(Image.new('RGB', (640, 400)), view, [cup] + count * [odd])
        assert set(written) == expected


@pytest.mark.parametrize('up', [(0, 0, 1), (0, -1, 0), (0, 0, -1)])
def test_single_object_around_the_origin(up):
    """A model cloud without a scene, the origin in its middle, seen along any axis."""
    rng = np.random.default_rng(0)
    xyz = rng.normal(0, .03, (3000, 3)).astype(np.float32)
    cloud = Cloud(xyz, 1, len(xyz), rgb=rng.integers(0, 255, (3000, 3)).astype(np.uint8))
    item = detection(xyz, np.arange(3000))
    picture = np.asarray(frame(cloud, result(item, up=np.array(up, float)), (320, 240)))
    assert picture.std() > 5
    assert closeups(cloud, result(item, up=np.array(up, float))).size[0] > 300


def test_objects_behind_or_beyond_the_picture(table):
    """A box behind the eye is no error."""
    cloud, squares = table
    xyz = np.concatenate([cloud.xyz, [[0, 0, -3.], [.1, 0, -3], [0, .1, -3.1]]]).astype(np.float32)
    cloud = Cloud(xyz, 1, len(xyz))
    behind = detection(xyz, np.arange(len(xyz) - 3, len(xyz)))
    frame(cloud, result(detection(xyz, squares[0]), behind), (320, 240))
