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

"""Shapes, the depth camera, scenes and their truth."""

import json

from foundry_ros.__main__ import main
from foundry_ros.boxes import Box
from foundry_ros.camera import Camera, look_at, rasterise, sense
from foundry_ros.cloud import finite_mask
from foundry_ros.output import OutputError
from foundry_ros.recording import open_recording
from foundry_ros.render.viewpoint import box_corners
from foundry_ros.shapes import CLASSES, FURNITURE, sample_object
from foundry_ros.simulate import record, Simulation, SimulationError
import numpy as np
import pytest
from scipy.spatial import cKDTree

SMALL = Camera(160, 120, 131.25, 131.25, 79.5, 59.5)
# Longest edge in metres that a thing of the class can have.
SIZES = {'cup': (.05, .25), 'bottle': (.15, .35), 'can': (.06, .18), 'laptop': (.25, .5),
         'chair': (.7, 1.2), 'person': (1.5, 2), 'bed': (1.8, 2.3), 'glasses': (.1, .2)}


@pytest.mark.parametrize('name', CLASSES)
def test_shape_stands_and_has_parts(name):
    """Every thing stands on z = 0, centred, and its points know their parts."""
    rng = np.random.default_rng(5)
    mesh = sample_object(name, rng)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert np.isfinite(mesh.vertices).all()
    assert low[2] == pytest.approx(0) and low[:2] == pytest.approx(-high[:2])
    least, most = SIZES.get(name, (.5, 2.2) if name in FURNITURE else (.06, 1.3))
    assert least < mesh.size.max() < most
    points, parts = mesh.sample(3000, rng)
    assert points.shape == (3000, 3) and (points >= low - 1e-5).all()
    assert (points <= high + 1e-5).all()
    if mesh.part_names:
        assert set(parts) == set(range(len(mesh.part_names)))
        assert len({part.partition('/')[0] for part in mesh.part_names}) == 1
    else:
        assert set(parts) == {-1}


def test_shapes_vary_with_the_seed_only():
    """The same seed draws the same thing, another seed another one."""
    first, same, other = (sample_object('vase', np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first.vertices, same.vertices)
    assert first.size != pytest.approx(other.size)


def test_parts_lie_where_they_belong():
    """A chair's legs are below its seat, its back above; a cup's handle is outside."""
    points, parts = (a for a in sample_object('chair', np.random.default_rng(3)).sample(
        4000, np.random.default_rng(0)))
    names = sample_object('chair', np.random.default_rng(3)).part_names
    height = {name: points[parts == i, 2].mean() for i, name in enumerate(names)}
    assert height['chair/leg'] < height['chair/support'] < height['chair/backsupport']


def test_rasterise_gives_exact_depth_and_the_nearest_face():
    """A near square hides half of a far, slanted one."""
    square = np.array([[-1., -1, 2], [1, -1, 2], [1, 1, 2], [-1, 1, 2]])
    far = square * (4, 4, 1) + (0, 0, 2)
    far[:2, 2] += 1  # the upper edge is farther
    near = square * (.5, 1, 1) + (.5, 0, 0)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    pixel, depth, face = rasterise(np.concatenate([far, near]), np.concatenate([faces, faces + 4]),
                                   SMALL)
    assert len(np.unique(pixel)) == len(pixel) == SMALL.width * SMALL.height
    image = np.full(SMALL.width * SMALL.height, np.nan)
    image[pixel] = depth
    xyz = SMALL.points(image.reshape(SMALL.height, SMALL.width))
    hidden = face >= 2
    assert depth[hidden] == pytest.approx(2)
    on = xyz[pixel[~hidden]]
    assert on[:, 2] == pytest.approx(4.5 - on[:, 1] / 8, abs=1e-3)
    right = xyz[pixel[hidden]]
    assert right[:, 0].min() >= -.02 and right[:, 0].max() <= 1.02


def test_rasterise_leaves_out_what_is_behind():
    """A triangle that reaches behind the camera is not drawn."""
    vertices = np.array([[0., 0, 2], [1, 0, 2], [0, 1, -1]])
    assert len(rasterise(vertices, np.array([[0, 1, 2]]), SMALL)[0]) == 0


def test_points_and_pixels_are_inverse():
    """Points of a depth image fall on their own pixels, and the axes are optical."""
    depth = np.random.default_rng(0).uniform(.5, 3, (SMALL.height, SMALL.width))
    xyz = SMALL.points(depth)
    assert np.array_equal(SMALL.pixels(xyz), np.arange(len(xyz)))
    assert xyz[0, 0] < 0 and xyz[0, 1] < 0 and (xyz[:, 2] > 0).all()
    pose = look_at(np.array([0., -2, 1]), np.zeros(3))
    assert pose[2, 1] < 0  # the picture's y axis points down in the world


def test_noise_grows_with_the_square_of_depth():
    """As measured on the first Kinect: under 3 mm at 1 m, and four times as much at 2 m."""
    camera = Camera()
    flat = np.ones((camera.height, camera.width))
    spread = [np.nanstd(sense(flat * z, flat, camera, np.random.default_rng(0))[0])
              for z in (1.0, 2.0)]
    assert .0008 < spread[0] < .003
    assert 3 < spread[1] / spread[0] < 6


def test_what_a_real_camera_does_not_see():
    """Out of range, grazing, and in the projector's shadow nothing is measured."""
    camera = Camera()
    depth = np.full((camera.height, camera.width), 2.0)
    depth[:, 300:] = 1.0
    depth[:100] = 0.3
    depth[-50:] = 9.0
    incidence = np.ones_like(depth)
    incidence[200:240] = .02
    measured, source = sense(depth, incidence, camera, np.random.default_rng(0))
    assert np.isnan(measured[:95]).all() and np.isnan(measured[-45:]).all()
    assert np.isnan(measured[205:235]).mean() > .95
    shadow = measured[110:190, 282:298]  # 525 * 0.075 * (1 / 1 - 1 / 2) = 20 pixels
    assert np.isnan(shadow).mean() > .9 and np.isfinite(measured[110:190, :270]).mean() > .95
    seen = source >= 0
    assert np.isfinite(measured[seen]).all() and source.max() < measured.size


@pytest.fixture(scope='module', params=['tabletop', 'room'])
def simulation(request):
    """Simulate two clouds of each scene."""
    return Simulation(request.param, frames=2, seed=1_000_100)


def test_things_do_not_touch(simulation):
    """Between any two things there is room."""
    clouds = [thing.vertices for thing in simulation.scenery.things]
    trees = [cKDTree(cloud[:, :2]) for cloud in clouds]
    gaps = [trees[i].query(clouds[j][:, :2])[0].min() for i in range(len(clouds))
            for j in range(i)]
    assert min(gaps) > .01
    assert all(cloud[:, 2].min() == pytest.approx(0) for cloud in clouds)


def test_truth_agrees_with_the_cloud(simulation):
    """The points of a thing lie in its box, which stands upright; parts are its own."""
    cloud, truth = simulation.shot(1)
    assert cloud.organised and cloud.rgb is not None
    assert not np.any(truth.instance[~finite_mask(cloud.xyz)] >= 0)
    assert len(truth.objects) == len(simulation.scenery.things)
    for item in truth.objects:
        mine = truth.instance == item['id']
        assert item['points'] == mine.sum() and 0 < item['visible'] <= 1
        box = Box(*(np.array(item[key]) for key in ('center', 'size', 'orientation')))
        assert box.size[0] >= box.size[1]
        corners = box_corners(box)
        assert corners[1] - corners[0] == pytest.approx(truth.up * box.size[2], abs=1e-3)
        axes = (corners[[4, 2, 1]] - corners[0]) / box.size[:, None]
        local = (cloud.xyz[mine] - box.center) @ axes.T
        assert np.mean(np.abs(local) < box.size / 2 + .05) > .97
        counts = {simulation.parts[i]: int(n) for i, n in
                  enumerate(np.bincount(truth.part[mine & (truth.part >= 0)],
                                        minlength=len(simulation.parts))) if n}
        assert counts == item['parts']
        assert set(counts) <= set(simulation.scenery.things[item['id']].mesh.part_names)


def test_the_camera_moves_and_repeats(simulation):
    """Two passes give the same clouds, one after the other from elsewhere."""
    (first, one), (_, two) = simulation
    assert np.array_equal(first.xyz, simulation.shot(0)[0].xyz, equal_nan=True)
    assert np.linalg.norm(one.pose[:3, 3] - two.pose[:3, 3]) > .1


def test_recording_is_a_bag_with_its_truth(tmp_path):
    """What was written can be opened as a recording and agrees with the truth beside it."""
    simulation = Simulation(objects=2, frames=2, camera=SMALL)
    folder = record(tmp_path / 'deep' / 'bag', simulation)
    truth = json.loads((folder / 'truth.json').read_text())
    with open_recording(folder) as recording:
        clouds = list(recording)
        assert recording.topic == '/camera/depth/points' and '/tf' in recording.topics
    assert [c.stamp for c in clouds] == [f['stamp'] for f in truth['frames']]
    for cloud, frame, (original, _) in zip(clouds, truth['frames'], simulation):
        assert np.array_equal(cloud.xyz, original.xyz, equal_nan=True)
        assert np.array_equal(cloud.rgb, original.rgb)
        masks = np.load(folder / frame['mask'])
        for item in frame['objects']:
            assert (masks['instance'] == item['id']).sum() == item['points']
        assert masks['part'].max() < len(truth['parts'])
    record(folder, simulation)  # an earlier simulation is replaced
    assert sorted(p.name for p in folder.parent.iterdir()) == ['bag']


def test_recording_replaces_nothing_else(tmp_path):
    """A folder with other things is refused and left as it is."""
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'thesis.txt').write_text('years of work')
    with pytest.raises(OutputError, match='no earlier simulation'):
        record(tmp_path / 'mine', Simulation(objects=1, frames=1, camera=SMALL))
    assert (tmp_path / 'mine' / 'thesis.txt').exists()


def test_interrupted_recording_leaves_nothing(tmp_path):
    """Where the clouds end in Ctrl-C nothing half-written is left."""
    def cut(shots):
        yield next(iter(shots))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(tmp_path / 'bag', Simulation(objects=1, frames=2, camera=SMALL), cut)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('options, says', [
    (['--classes', 'cup,unicorn'], 'no shape for unicorn'),
    (['--objects', '60'], 'ask for fewer'),
    (['--frames', '0'], '--frames takes 1 or more')])
def test_command_says_what_is_wrong(tmp_path, capsys, options, says):
    """One line, exit code 1, nothing written."""
    assert main(['simulate', str(tmp_path / 'bag'), *options]) == 1
    error = capsys.readouterr().err
    assert says in error and error.count('\n') == 1
    assert list(tmp_path.iterdir()) == []


def test_unknown_scene_is_refused():
    """The scenes that there are are named."""
    with pytest.raises(SimulationError, match='tabletop, room'):
        Simulation('kitchen')
