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
"""Summaries: the schema, the percentiles, the table for people."""

from types import SimpleNamespace

from foundry_ros.boxes import Box
from foundry_ros.pipeline import Detection, Frame
from foundry_ros.summary import format_summary, frame_entry, mask, summary
import numpy as np


def detection(track, label, indices, parts, names):
    """Give a detection of a box of 0.1 x 0.2 x 0.3 m."""
    box = Box(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3]), np.array([0, 0, 0, 1.0]))
    return Detection(track, label, 0.75, ((label, 0.75), ('cup', 0.2)), box, np.array(indices),
                     np.array(parts, np.int32), np.ones(len(parts), np.float32), names)


def frame(total, *detections):
    """Give a frame that took ``total`` milliseconds."""
    latency = {'crop': 1.0, 'segment': 2.0, 'tokens': 3.0, 'student': 4.0, 'total': total}
    return Frame(10**18 + 1, 'camera', 16, latency, detections, SimpleNamespace())


CHAIR = detection('7', 'chair', [5, 1, 2], [0, 0, 2], {0: 'chair/leg', 2: 'chair/seat'})
BOX = detection('8', 'unknown', [3, 4], [-1, -1], {})


def test_schema():
    """Every key of the file, with the values of the frame."""
    entry = frame_entry(frame(10.0, CHAIR, BOX))
    assert set(entry) == {'stamp', 'token_budget', 'latency_ms', 'objects'}
    assert entry['stamp'] == 10**18 + 1 and entry['token_budget'] == 16
    chair, box = entry['objects']
    assert chair == {
        'id': '7', 'label': 'chair', 'score': 0.75,
        'alternatives': [['chair', 0.75], ['cup', 0.2]],
        'center': [1.0, 2.0, 3.0], 'size': [0.1, 0.2, 0.3], 'orientation': [0.0, 0.0, 0.0, 1.0],
        'points': 3, 'parts': {'chair/leg': 2, 'chair/seat': 1}}
    assert box['parts'] == {}
    content = summary('bag', '/points', 'mock 1', [entry])
    assert set(content) == {'recording', 'topic', 'model', 'frames', 'latency_ms'}


def test_percentiles():
    """Of the totals; null where there is no frame."""
    entries = [frame_entry(frame(float(ms))) for ms in range(1, 102)]
    assert summary('', '', '', entries)['latency_ms'] == {'p50': 51.0, 'p95': 96.0, 'max': 101.0}
    assert summary('', '', '', [])['latency_ms'] == {'p50': None, 'p95': None, 'max': None}


def test_mask():
    """Each point has the index of its object, -1 none."""
    np.testing.assert_array_equal(mask(frame(1.0, CHAIR, BOX), 7), [-1, 0, 0, 1, 1, 0, -1])


def test_table():
    """Sightings and different objects by name, unknown last, and the parts that were seen."""
    entries = [frame_entry(frame(10.0, BOX, CHAIR)), frame_entry(frame(20.0, BOX, BOX, CHAIR))]
    text = format_summary(summary('', '', '', entries))
    rows = [line.split() for line in text.splitlines()[-2:]]
    assert rows == [['chair', '2', '1', '0.75', 'leg,', 'seat'], ['unknown', '3', '1', '0.75']]
    assert '2 clouds, 5 sightings of objects, token budget 16' in text
    assert 'no clouds' in format_summary(summary('', '', '', []))
