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
Recordings of point clouds, read lazily: bags of ROS 1 and 2, .pcd and .ply files.

Bags are read by the package rosbags, which needs no ROS; it is imported only here and only when
a bag is opened.
"""

from abc import ABC, abstractmethod
import difflib
from pathlib import Path
import re
from typing import Dict, Iterator, List, Optional, Tuple

from foundry_ros.cloud import Cloud, CloudError, from_array, from_message
from foundry_ros.detection_writer import DetectionWriter
from foundry_ros.pcd import read_pcd
from foundry_ros.ply import read_ply
from foundry_ros.pointcloud2 import one_line

__all__ = ['DetectionWriter', 'open_recording', 'Recording', 'RecordingError']

POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'
METADATA = 'metadata.yaml'
BAGS = ('.mcap', '.db3', '.bag')
FILES = {'.pcd': read_pcd, '.ply': read_ply}
KINDS = 'a rosbag2 folder, a .mcap, .db3, .bag, .pcd or .ply file, or a folder of such files'
# Files carry neither: they get this frame, and a series of them these times.
FILE_FRAME = 'cloud'
FILE_PERIOD = 100_000_000


class RecordingError(ValueError):
    """A recording that cannot be read, in one line that says what to do."""


class Recording(ABC):
    """
    The clouds of a recording, in order of time; a context manager.

    ``topic`` is where they come from (empty for files), ``topics`` maps every topic to its type,
    ``notice`` is a line that people should see (which topic was chosen among several), or empty.
    """

    def __init__(self, path: Path):
        """Keep the path, for error messages."""
        self.path = path
        self.topic = ''
        self.topics: Dict[str, str] = {}
        self.notice = ''

    @abstractmethod
    def __len__(self) -> int:
        """Count the clouds."""

    @abstractmethod
    def __iter__(self) -> Iterator[Cloud]:
        """Read one cloud after the other; RecordingError where one cannot be read."""

    def __enter__(self) -> 'Recording':
        """Read from here on."""
        return self

    def __exit__(self, *_) -> None:
        """Close the recording."""


def open_recording(path, topic: Optional[str] = None) -> Recording:
    """
    Open a recording by its kind.

    :param path: rosbag2 folder, .mcap or .db3 file, ROS 1 .bag, .pcd or .ply file, or a folder
        of such files (in the order of the numbers in their names).
    :param topic: PointCloud2 topic of a bag; None = the one with most clouds.
    :raises RecordingError: it is not there, of another kind, damaged, or without clouds.
    """
    path = Path(path)
    try:
        if path.name == METADATA:
            path = path.parent
        if not path.exists():
            raise RecordingError(f'there is no recording {path}')
        if _is_bag(path):
            return BagRecording(path, topic)
        if path.is_dir():
            return _open_folder(path, topic)
    except OSError as error:
        raise RecordingError(f'cannot read {path}: {_reason(error)}') from None
    if path.suffix.lower() in FILES:
        return FileRecording(path, [path], topic)
    raise RecordingError(f'{path} is no recording: {KINDS} is expected')


def _is_bag(path) -> bool:
    return (path / METADATA).is_file() or (path.suffix.lower() in BAGS and path.is_file())


def _open_folder(path, topic) -> Recording:
    """Open a folder of files, or the only bag in it (one that was never closed, say)."""
    inside = sorted((p for p in path.iterdir() if p.name[0] != '.'), key=_natural)
    clouds = [file for file in inside if file.suffix.lower() in FILES]
    bags = [file for file in inside if _is_bag(file)]
    if len(bags) == 1:
        recording = BagRecording(bags[0], topic)
        recording.notice = '; '.join(filter(None, [f'reading {bags[0]}', recording.notice]))
        return recording
    if clouds and not bags:
        return FileRecording(path, clouds, topic)
    names = ', '.join(bag.name for bag in bags[:10])
    raise RecordingError(f'{path} holds several bags, name one: {names}' if bags else
                         f'{path} is no recording: {KINDS} is expected')


def _natural(path) -> List:
    """Sort frame_2 before frame_10."""
    return [int(word) if word.isdecimal() else word for word in re.split(r'(\d+)', path.name)]


class FileRecording(Recording):
    """Clouds from files, a tenth of a second apart."""

    def __init__(self, path: Path, files: List[Path], topic: Optional[str]):
        """Keep the names; the files are opened one by one."""
        super().__init__(path)
        if topic:
            raise RecordingError(f'{path} has no topics: leave --topic out')
        self.files = files

    def __len__(self) -> int:
        """Count the files."""
        return len(self.files)

    def __iter__(self) -> Iterator[Cloud]:
        """Read one file after the other."""
        for i, file in enumerate(self.files):
            try:
                data = file.read_bytes()
                if not data:
                    raise CloudError('it is empty')
                array = FILES[file.suffix.lower()](data)
                cloud = from_array(array, FILE_FRAME, i * FILE_PERIOD)
            except (CloudError, OSError) as error:
                raise RecordingError(f'cannot read {file}: {_reason(error)}') from None
            yield cloud


class BagRecording(Recording):
    """Clouds of one topic of a bag."""

    def __init__(self, path: Path, topic: Optional[str]):
        """Open the bag and choose the topic."""
        super().__init__(path)
        self._reader, self._deserialise = _open_bag(path)
        try:
            connections = self._reader.connections
            self.topics = {c.topic: c.msgtype for c in connections}
            self.topic, self.notice = _choose(path, connections, topic)
        except BaseException:
            self._reader.close()
            raise
        self._connections = [c for c in connections
                             if (c.topic, c.msgtype) == (self.topic, POINT_CLOUD)]

    def __len__(self) -> int:
        """Count the clouds that the bag's index declares."""
        return sum(c.msgcount for c in self._connections)

    def __iter__(self) -> Iterator[Cloud]:
        """Read one message after the other."""
        count = 0
        for count, message in enumerate(self._messages(), 1):
            try:
                cloud = from_message(message)
            except CloudError as error:
                raise RecordingError(f'cannot read cloud {count} of {self.topic} in {self.path}: '
                                     f'{error}') from None
            yield cloud
        if count < len(self):
            raise _damaged(self.path, f'{count} of {len(self)} clouds of {self.topic} are in it')

    def _messages(self):
        try:
            for _, _, raw in self._reader.messages(connections=self._connections):
                yield self._deserialise(memoryview(raw), POINT_CLOUD)
        except Exception as error:  # a parser meets damaged bytes: it may raise anything
            raise _damaged(self.path, error) from None

    def __exit__(self, *_) -> None:
        """Close the bag."""
        self._reader.close()


def _open_bag(path) -> Tuple:
    """Return rosbags' reader, open, and the function that deserialises its messages."""
    for file in _files(path):
        if file.stat().st_size == 0:
            raise RecordingError(f'{file} is empty: nothing was recorded into it')
    try:
        from rosbags import rosbag1, rosbag2
        from rosbags.typesys import get_typestore, Stores
    except ImportError:
        raise RecordingError('bags are read by the package rosbags, which is not installed: '
                             "pip install 'foundry_ros[replay]'") from None
    old = path.suffix.lower() == '.bag' and path.is_file()
    try:
        reader = rosbag1.Reader(path) if old else rosbag2.Reader(path)
        reader.open()
    except Exception as error:  # a parser meets damaged bytes: it may raise anything
        raise _damaged(path, error) from None
    store = get_typestore(Stores.ROS1_NOETIC if old else Stores.ROS2_HUMBLE)
    return reader, store.deserialize_ros1 if old else store.deserialize_cdr


def _files(path) -> List[Path]:
    """List the files of a bag that hold messages."""
    inside = sorted(path.iterdir(), key=_natural) if path.is_dir() else [path]
    return [file for file in inside if file.suffix.lower() in BAGS and file.is_file()]


def _choose(path, connections, wanted) -> Tuple[str, str]:
    """Return the topic to read and, where others could have been meant, a line that says so."""
    counts: Dict[str, int] = {}
    for connection in connections:
        if connection.msgtype == POINT_CLOUD:
            counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
    types = {c.topic: c.msgtype for c in connections}
    if not counts:
        there = ', '.join(f'{name} ({types[name]})' for name in sorted(types)) or 'none'
        raise RecordingError(f'{path} holds no PointCloud2; its topics: {there}')
    listed = ', '.join(f'{name} ({n} cloud{"s" * (n != 1)})'
                       for name, n in sorted(counts.items()))
    if wanted and wanted not in counts:
        what = (f'{wanted} in {path} holds {types[wanted]}, no PointCloud2' if wanted in types
                else f'{path} has no topic {wanted}')
        near = difflib.get_close_matches(wanted, counts, 1)
        hint = f' (did you mean {near[0]}?)' if near else ''
        raise RecordingError(f'{what}{hint}; its PointCloud2 topics: {listed}')
    topic = wanted or max(sorted(counts), key=counts.get)
    if not counts[topic]:
        raise RecordingError(f'no cloud was recorded on {topic} in {path}')
    several = f'reading {topic}; --topic chooses another of: {listed}'
    return topic, '' if wanted or len(counts) == 1 else several


def _damaged(path, error) -> RecordingError:
    """Say in one line why a bag cannot be read and what may help."""
    if isinstance(error, OSError) and error.strerror:
        return RecordingError(f'cannot read {path}: {error.strerror}')
    inside = [file for file in _files(path) if file.suffix.lower() == '.mcap']
    file = inside[-1] if inside else path  # a recorder cut short leaves its last file damaged
    tools = {'.mcap': f'mcap recover {file} -o recovered.mcap', '.bag': f'rosbag reindex {file}'}
    tool = tools.get(file.suffix.lower(), f'ros2 bag reindex {file}')
    return RecordingError(f'cannot read {path}: {_reason(error)}; if the recording was cut short, '
                          f'try: {tool}')


def _reason(error) -> str:
    """Put what an exception says on one line of bearable length."""
    text = error.strerror if isinstance(error, OSError) else str(error)
    return one_line(text or type(error).__name__, 200).rstrip('.')
