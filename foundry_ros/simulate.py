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
``simulate``: a recording of a depth camera that moves past known things, and the truth about it.

The folder is a rosbag2 bag (``replay`` and ``ros2 bag play`` take it) and holds beside it
``truth.json`` and ``truth/<frame>.npz``: for each point of the cloud ``instance``, an index into
the frame's ``objects``, and ``part``, an index into ``parts``; -1 = none.
"""

import argparse
from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import shutil
import tempfile
from typing import Any, Dict, Iterator, List, Optional, Sequence

from foundry_ros.boxes import quaternion
from foundry_ros.camera import Camera, sense
from foundry_ros.cloud import Cloud, fields_to_bytes, records
from foundry_ros.output import OutputError
from foundry_ros.scenery import Scenery, STAGES, View
from foundry_ros.shapes import CLASSES
import numpy as np

TOPIC = '/camera/depth/points'
FRAME = 'camera_depth_optical_frame'
WORLD = 'world'
START, PERIOD = 1_700_000_000 * 10**9, 200_000_000
# Training draws its shapes with smaller seeds.
SEED = 1_000_000
OBJECTS = {'tabletop': 8, 'room': 5}


class SimulationError(ValueError):
    """Something that cannot be simulated."""


@dataclass(frozen=True)
class Truth:
    """
    What a simulated cloud shows.

    ``pose`` (4, 4) turns the cloud's frame into the world's (z up); ``instance`` (N,) int16 index
    into ``objects``, ``part`` (N,) int16 index into the simulation's ``parts``, -1 = none;
    ``objects`` as in ``truth.json``.
    """

    pose: np.ndarray
    instance: np.ndarray
    part: np.ndarray
    objects: List[Dict[str, Any]]

    @property
    def up(self) -> np.ndarray:
        """Point away from the ground: (3,) in the cloud's frame."""
        return self.pose[2, :3]


class Simulation:
    """A scene and a camera that moves past it; iterates (Cloud, Truth), the same every time."""

    def __init__(self, scene: str = 'tabletop', objects: Optional[int] = None, frames: int = 10,
                 seed: int = SEED, classes: Sequence[str] = (), camera: Camera = Camera()):
        """
        Draw the scene.

        :param scene: 'tabletop' or 'room'.
        :param objects: how many; None = 8 on a table, 5 in a room.
        :param frames: clouds, a fifth of a second apart.
        :param classes: what to draw the things from; empty = what suits the scene.
        :raises SimulationError: a scene or class that there is not, or too much to set up.
        """
        if scene not in STAGES:
            raise SimulationError(f'there is no scene {scene!r}; there are {", ".join(STAGES)}')
        objects = OBJECTS[scene] if objects is None else objects
        pool = list(classes or STAGES[scene].classes)
        unknown = [name for name in pool if name not in CLASSES]
        if unknown:
            raise SimulationError(f'there is no shape for {", ".join(unknown)}; there are '
                                  f'{", ".join(CLASSES)}')
        rng = np.random.default_rng(seed)
        rounds = [rng.permutation(pool) for _ in range(-(-objects // len(pool)))]
        names = [str(name) for name in np.concatenate([*rounds, []])[:objects]]
        self.scene, self.seed, self.frames, self.camera = scene, seed, frames, camera
        self.scenery = Scenery(scene, names, rng)
        if len(self.scenery.things) < objects:
            raise SimulationError(f'only {len(self.scenery.things)} of {objects} objects find a '
                                  'place: ask for fewer, or take another --seed')
        self.parts = tuple(sorted({part for thing in self.scenery.things
                                   for part in thing.mesh.part_names}))

    def __len__(self) -> int:
        """Count the clouds."""
        return self.frames

    def __iter__(self) -> Iterator:
        """Render one cloud after the other with its truth."""
        for number in range(self.frames):
            yield self.shot(number)

    def shot(self, number: int):
        """Render cloud ``number``; return (Cloud, Truth)."""
        rng = np.random.default_rng((self.seed, number))
        pose = self.scenery.pose(number / max(self.frames - 1, 1))
        pose[:3, 3] += rng.normal(0, 0.0015, 3)  # held by hand
        view = self.scenery.view(pose, self.camera)
        shape = self.camera.height, self.camera.width
        depth, source = sense(view.depth.reshape(shape), view.incidence.reshape(shape),
                              self.camera, rng)
        cloud = Cloud(self.camera.points(depth), *shape, FRAME, START + number * PERIOD, view.rgb)
        return cloud, self._truth(view, source.ravel(), pose)

    def _truth(self, view: View, source: np.ndarray, pose: np.ndarray) -> Truth:
        """Say what each measured point belongs to."""
        instance = np.where(source >= 0, view.thing[source], -1).astype(np.int16)
        local = np.where(source >= 0, view.part[source], -1)
        part = np.full(len(source), -1, np.int16)
        objects = []
        for index, thing in enumerate(self.scenery.things):
            mine = np.flatnonzero((instance == index) & (local >= 0))
            ids = np.array([self.parts.index(name) for name in thing.mesh.part_names], np.int16)
            part[mine] = ids[local[mine]]
            counts = np.bincount(local[mine], minlength=len(ids))
            shown = int((view.thing == index).sum())
            objects.append({
                'id': index, 'class': thing.name, 'points': int((instance == index).sum()),
                'visible': round(shown / max(int(view.alone[index]), 1), 4), **_box(thing, pose),
                'parts': {name: int(n) for name, n in zip(thing.mesh.part_names, counts) if n}})
        return Truth(pose, instance, part, objects)


def _box(thing, pose) -> Dict[str, List[float]]:
    """Give the true box in the camera's frame: z up, x the longer side."""
    size = thing.mesh.size
    axes = thing.pose[:3, :3]
    if size[1] > size[0]:
        size, axes = size[[1, 0, 2]], np.column_stack([axes[:, 1], -axes[:, 0], axes[:, 2]])
    center = thing.pose[:3, 3] + (0, 0, size[2] / 2)
    return {'center': _numbers((center - pose[:3, 3]) @ pose[:3, :3]), 'size': _numbers(size),
            'orientation': _numbers(quaternion(pose[:3, :3].T @ axes), 6)}


def _numbers(values, digits=4) -> List[float]:
    return [round(float(value), digits) for value in values]


def record(output, simulation: Simulation, progress=iter) -> Path:
    """
    Write a simulation as a bag with its truth; the folder appears when it is whole.

    :param output: the folder; an earlier simulation there is replaced, anything else refused.
    :param progress: wraps the clouds, for a progress bar.
    :raises OutputError: the folder cannot be written or holds something else.
    """
    output = Path(output)
    if output.exists() and not (output / 'truth.json').exists():
        raise OutputError(f'{output} is there and is no earlier simulation: choose another folder')
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix='.unfinished-', dir=output.parent))
    except OSError as error:
        raise OutputError(f'cannot write to {output.parent}: {error.strerror}') from None
    try:
        _write(staging / output.name, simulation, progress)
        if output.exists():
            shutil.rmtree(output)
        os.replace(staging / output.name, output)
    except OSError as error:
        raise OutputError(f'cannot write {output}: {error.strerror or error}') from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return output


def _write(folder: Path, simulation: Simulation, progress):
    """Write bag, masks and truth.json."""
    frames = []
    with BagWriter(folder) as bag:
        (folder / 'truth').mkdir()
        for number, (cloud, truth) in enumerate(progress(simulation)):
            bag.write(cloud, truth.pose)
            mask = f'truth/{number:06d}.npz'
            np.savez_compressed(folder / mask, instance=truth.instance, part=truth.part)
            frames.append({'stamp': cloud.stamp, 'mask': mask, 'up': _numbers(truth.up, 6),
                           'pose': [_numbers(row, 6) for row in truth.pose],
                           'objects': truth.objects})
    content = {'scene': simulation.scene, 'seed': simulation.seed, 'topic': TOPIC,
               'frame_id': FRAME, 'camera': asdict(simulation.camera),
               'parts': list(simulation.parts), 'frames': frames}
    (folder / 'truth.json').write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')


class BagWriter:
    """Context manager that writes clouds and the camera's pose as a rosbag2 folder (MCAP)."""

    def __init__(self, folder: Path):
        """Start the bag; OutputError where rosbags is not installed."""
        try:
            from rosbags.rosbag2 import StoragePlugin, Writer
            from rosbags.typesys import get_typestore, Stores
        except ImportError:
            raise OutputError('recordings are written by the package rosbags, which is not '
                              "installed: pip install 'foundry_ros[replay]'") from None
        self._store = get_typestore(Stores.ROS2_HUMBLE)
        self._writer = Writer(folder, version=8, storage_plugin=StoragePlugin.MCAP)

    def __enter__(self) -> 'BagWriter':
        """Make the folder and declare the topics."""
        self._writer.open()
        self._connections = {name: self._writer.add_connection(topic, name, typestore=self._store)
                             for topic, name in ((TOPIC, 'sensor_msgs/msg/PointCloud2'),
                                                 ('/tf', 'tf2_msgs/msg/TFMessage'))}
        return self

    def write(self, cloud: Cloud, pose: np.ndarray):
        """Write one cloud and the camera's pose (4, 4) in the world."""
        stamp = dict(zip(('sec', 'nanosec'), divmod(cloud.stamp, 10**9)))
        array = records(cloud.xyz, cloud.rgb).reshape(cloud.height, cloud.width)
        self._send('sensor_msgs/msg/PointCloud2', cloud.stamp, {
            'header': {'stamp': stamp, 'frame_id': cloud.frame_id}, **fields_to_bytes(array)})
        turn = dict(zip('xyzw', (float(q) for q in quaternion(pose[:3, :3]))))
        place = dict(zip('xyz', (float(p) for p in pose[:3, 3])))
        self._send('tf2_msgs/msg/TFMessage', cloud.stamp, {'transforms': [{
            'header': {'stamp': stamp, 'frame_id': WORLD}, 'child_frame_id': cloud.frame_id,
            'transform': {'translation': place, 'rotation': turn}}]})

    def _send(self, name, stamp, values):
        from foundry_ros.detection_writer import message
        data = self._store.serialize_cdr(message(self._store, name, values), name)
        self._writer.write(self._connections[name], stamp, data)

    def __exit__(self, kind, error, trace) -> bool:
        """Close the bag."""
        self._writer.close()
        return False


def add_arguments(parser: argparse.ArgumentParser):
    """Declare the options."""
    parser.add_argument('output', metavar='DIR', help='folder for the recording and its truth')
    parser.add_argument('--scene', choices=list(STAGES), default='tabletop',
                        help='things on a table, or furniture in a room (default: tabletop)')
    parser.add_argument('--objects', metavar='N', type=int, help='how many things (default: '
                        + ', '.join(f'{n} for {scene}' for scene, n in OBJECTS.items()) + ')')
    parser.add_argument('--frames', metavar='N', type=int, default=10,
                        help='clouds to record, at 5 Hz (default: 10)')
    parser.add_argument('--seed', metavar='N', type=int, default=SEED,
                        help=f'another seed, another scene (default: {SEED})')
    parser.add_argument('--classes', metavar='A,B', help='draw the things from these classes; '
                        f'there are {", ".join(CLASSES)}')


def run(args: argparse.Namespace) -> int:
    """Simulate; return 0."""
    if args.frames < 1 or args.seed < 0 or (args.objects is not None and args.objects < 0):
        raise SimulationError('--frames takes 1 or more, --objects and --seed 0 or more')
    classes = args.classes.split(',') if args.classes else ()
    simulation = Simulation(args.scene, args.objects, args.frames, args.seed, classes)
    from tqdm import tqdm
    output = record(args.output, simulation, lambda shots: tqdm(
        shots, total=len(simulation), unit='cloud', leave=False, disable=None))
    names = ', '.join(thing.name for thing in simulation.scenery.things)
    print(f'{args.frames} clouds of {names} in {output}')
    return 0
