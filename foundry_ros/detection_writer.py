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
Write what was found as ``detections.mcap``: the node's topics and types, self-describing.

The messages are serialised by rosbags; the file is written by the reference implementation of
MCAP, because rosbags' own writer leaves out the quality of service of the topics, without which
``ros2 bag play`` does not latch the label maps.
"""

from contextlib import contextmanager, suppress
import os
from pathlib import Path
from typing import Any, Dict

from foundry_ros import results
from foundry_ros.output import OutputError
from foundry_ros.vision_msgs import DEFINITIONS
import numpy as np

FILE_NAME = 'detections.mcap'
# rosbag2's form of a topic's quality of service up to its version 8, which all versions read:
# keep the last 10, reliable, transient local (1) or volatile (2).
QOS = """- history: 1
  depth: 10
  reliability: 1
  durability: {durability}
  deadline: {{sec: 9223372036, nsec: 854775807}}
  lifespan: {{sec: 9223372036, nsec: 854775807}}
  liveliness: 1
  liveliness_lease_duration: {{sec: 9223372036, nsec: 854775807}}
  avoid_ros_namespace_conventions: false"""


class DetectionWriter:
    """
    Context manager that writes ``detections.mcap`` frame by frame.

    The file appears when it is whole: at the end, or with the frames so far on Ctrl-C between
    two of them. After any other error, or without a frame, nothing is left.
    """

    def __init__(self, folder, bundle, threshold: float = 0.0):
        """
        Start the file.

        :param folder: where the file goes; it exists.
        :param bundle: anything with the ``classes`` and ``parts`` of the student, in order.
        :param threshold: scores below it are called unknown.
        :raises OutputError: the folder cannot be written, or a package is missing.
        """
        self.path = Path(folder) / FILE_NAME
        self._temporary = self.path.with_name(f'.{FILE_NAME}.unfinished')
        self._bundle, self._threshold = bundle, threshold
        self._whole = False  # it holds at least one frame, and each to its last message
        self._store, writer = _tools()
        with self._reporting():
            self._file = open(self._temporary, 'wb')
            try:
                self._mcap = writer(self._file)
                self._mcap.start(profile='ros2', library='foundry_ros')
                self._channels = self._register()
            except BaseException:
                self._discard()
                raise

    def _register(self) -> Dict[str, int]:
        """Declare types and topics."""
        schemas = {}
        for name in sorted(set(results.TOPICS.values())):
            text = self._store.generate_msgdef(name, ros_version=2)[0]
            schemas[name] = self._mcap.register_schema(name, 'ros2msg', text.encode())
        return {topic: self._mcap.register_channel(
            f'/{results.NODE}/{topic}', 'cdr', schemas[name],
            {'offered_qos_profiles': QOS.format(durability=1 if topic in results.LATCHED else 2)})
            for topic, name in results.TOPICS.items()}

    def write(self, frame, cloud):
        """
        Write the messages of one frame.

        :param frame: a :class:`foundry_ros.pipeline.Frame`.
        :param cloud: the :class:`foundry_ros.cloud.Cloud` that it was made of.
        :raises OutputError: it cannot be written (disk full).
        """
        classes, parts = self._bundle.classes, self._bundle.parts
        content = {}
        if not self._whole:
            content['label_info'] = results.label_info(frame, classes, self._threshold)
            content['part_info'] = results.label_info(frame, parts, self._threshold)
        content['detections'] = results.detections(frame)
        content['parts'] = results.parts(frame, cloud.xyz, classes)
        content['markers'] = results.markers(frame)
        content['token_budget'] = results.token_budget(frame)
        serialised = {topic: self._serialise(topic, values) for topic, values in content.items()}
        time = max(frame.stamp, 0)
        self._whole = False
        with self._reporting():
            for topic, data in serialised.items():
                self._mcap.add_message(self._channels[topic], time, data, time)
        self._whole = True

    def _serialise(self, topic, values) -> bytes:
        name = results.TOPICS[topic]
        return bytes(self._store.serialize_cdr(message(self._store, name, values), name))

    def __enter__(self) -> 'DetectionWriter':
        """Start to write."""
        return self

    def __exit__(self, kind, error, trace) -> bool:
        """Close the file and move it to its place, or remove it."""
        keep = self._whole and (kind is None or issubclass(kind, KeyboardInterrupt))
        with self._reporting():
            try:
                if keep:
                    self._mcap.finish()
                    self._file.close()
                    os.replace(self._temporary, self.path)
            finally:
                self._discard()
        return False

    def _discard(self):
        """Close and remove the temporary file, if it is still there."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._temporary.unlink()

    @contextmanager
    def _reporting(self):
        """Turn what the system says into one line."""
        try:
            yield
        except OSError as error:
            raise OutputError(f'cannot write {self.path}: {error.strerror or error}') from None


def message(store, name: str, values: Dict[str, Any]):
    """
    Fill a message of rosbags.

    :param store: its type store.
    :param name: type of the message.
    :param values: fields by name; those left out are zero or empty.
    """
    fields = {}
    for field, description in store.fielddefs[name][1]:
        fields[field] = _value(store, description, values.get(field))
    unknown = set(values) - set(fields)
    if unknown:
        raise KeyError(f'{name} has no field {", ".join(sorted(unknown))}')
    return store.types[name](**fields)


def _value(store, description, value):
    """Bring one value to the form that rosbags serialises; None = zero or empty."""
    kind, detail = description
    if kind.name == 'NAME':
        return message(store, detail, value or {})
    if kind.name == 'BASE':
        zero = '' if detail[0] == 'string' else False if detail[0] == 'bool' else 0
        return zero if value is None else value
    (inner, inner_detail), length = detail
    if inner.name == 'BASE' and inner_detail[0] != 'string':
        if isinstance(value, (bytes, bytearray)):
            return np.frombuffer(value, np.uint8)
        return np.asarray(np.zeros(length) if value is None else value, inner_detail[0])
    return [_value(store, (inner, inner_detail), item) for item in value or ()]


def _tools():
    """Return rosbags' types, vision_msgs among them, and the class that writes MCAP."""
    try:
        from mcap.writer import Writer
        from rosbags.typesys import get_types_from_msg, get_typestore, Stores
    except ImportError as error:
        raise OutputError(f'detections.mcap is written by the package {error.name.split(".")[0]}, '
                          "which is not installed: pip install 'foundry_ros[replay]'") from None
    store = get_typestore(Stores.ROS2_HUMBLE)
    types = {}
    for name, text in DEFINITIONS.items():
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store, Writer
