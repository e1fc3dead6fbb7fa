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
"""What a run found, as ``summary.json`` and as a table for people."""

from collections import defaultdict
from typing import Any, Dict, List

from foundry_ros.names import NO_PART
from foundry_ros.pipeline import Detection, Frame
import numpy as np

STAGES = ('crop', 'segment', 'tokens', 'student', 'total')


def frame_entry(frame: Frame) -> Dict[str, Any]:
    """
    Describe a frame as in ``summary.json``; poses in the cloud's frame, metres.

    Only where the user should know something does it have a ``notice``.
    """
    entry = {'stamp': int(frame.stamp), 'token_budget': int(frame.token_budget),
             'latency_ms': {stage: round(frame.latency_ms[stage], 3) for stage in STAGES},
             'objects': [_object_entry(detection) for detection in frame.detections]}
    return {**entry, 'notice': frame.notice} if frame.notice else entry


def _object_entry(detection: Detection) -> Dict[str, Any]:
    ids, counts = np.unique(detection.parts[detection.parts != NO_PART], return_counts=True)
    return {'id': detection.id, 'label': detection.label, 'score': round(detection.score, 4),
            'alternatives': [[label, round(score, 4)] for label, score in detection.alternatives],
            'center': _numbers(detection.box.center), 'size': _numbers(detection.box.size),
            'orientation': _numbers(detection.box.orientation, 6),
            'points': int(len(detection.indices)),
            'parts': {detection.part_names[int(i)]: int(n) for i, n in zip(ids, counts)}}


def _numbers(values, digits=4) -> List[float]:
    return [round(float(value), digits) for value in values]


def summary(recording: str, topic: str, model: str, frames: List[Dict[str, Any]]
            ) -> Dict[str, Any]:
    """
    Put the entries of frames together.

    :return: the content of ``summary.json``; percentiles are null where there is no frame.
    """
    totals = [frame['latency_ms']['total'] for frame in frames]
    quantiles = {name: round(float(np.percentile(totals, q)), 3) if totals else None
                 for name, q in (('p50', 50), ('p95', 95), ('max', 100))}
    return {'recording': recording, 'topic': topic, 'model': model, 'frames': frames,
            'latency_ms': quantiles}


def mask(frame: Frame, points: int) -> np.ndarray:
    """Give each of the cloud's points the index of its object, -1 = none; (N,) int32."""
    result = np.full(points, -1, np.int32)
    for index, detection in enumerate(frame.detections):
        result[detection.indices] = index
    return result


def format_summary(content: Dict[str, Any]) -> str:
    """Lay a summary out for people: time by stage, then the objects by name."""
    frames = content['frames']
    if not frames:
        return 'no clouds'
    lines = [f'{"milliseconds":14}' + ''.join(f'{stage:>10}' for stage in STAGES)]
    for name, q in (('median', 50), ('95 %', 95), ('largest', 100)):
        values = [np.percentile([f['latency_ms'][s] for f in frames], q) for s in STAGES]
        lines.append(f'{name:14}' + ''.join(f'{value:10.1f}' for value in values))
    budgets = sorted({f['token_budget'] for f in frames})
    objects = [item for f in frames for item in f['objects']]
    lines += ['', f'{_count(len(frames), "cloud")}, {_count(len(objects), "sighting")} of '
              f'objects, token budget {", ".join(str(b) for b in budgets)}']
    return '\n'.join(lines + ([''] + _by_name(objects) if objects else []))


def _count(number: int, word: str) -> str:
    return f'{number} {word}' if number == 1 else f'{number} {word}s'


def _by_name(objects) -> List[str]:
    """List the names: sightings, different objects, mean score, parts."""
    by_label = defaultdict(list)
    for item in objects:
        by_label[item['label']].append(item)
    ranked = sorted(by_label.items(), key=lambda row: (row[0] == 'unknown', -len(row[1])))
    lines = [f'{"name":16}{"sightings":>10}{"objects":>9}{"score":>7}  parts']
    for label, items in ranked:
        parts = sorted({part.partition('/')[2] for item in items for part in item['parts']})
        lines.append(f'{label:16}{len(items):10d}{len({item["id"] for item in items}):9d}'
                     f'{np.mean([item["score"] for item in items]):7.2f}  {", ".join(parts)}')
    return lines
