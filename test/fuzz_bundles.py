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
Spoilt model bundles through the loader and, where it takes them, the student.

``make fuzz``, or ``PYTHONPATH=. .venv/bin/python test/fuzz_bundles.py --bundles 3000``. Each is
used or refused with a BundleError of one line; anything else is a finding, told with the number
that makes it again (``--only``). The checksum is put right again after most changes, as somebody
would who means harm.
"""

import argparse
from collections import Counter
import faulthandler
import hashlib
import os
from pathlib import Path
import random
import re
import sys
import tempfile
import time

from foundry_ros.bundle import BundleError, load_bundle
from foundry_ros.student import Student
from mock_bundle import make_bundle
import numpy as np
import onnx
import yaml

HANG_S = 300
ODD = (None, True, 0, -1, 1 << 70, 16 ** 5000, 0.0, -1.5, 1e300, float('nan'), float('inf'), '',
       'x', 'a\nb', '\x1b[2J', 'x' * 10 ** 5, '../../etc/passwd', [], ['a'], [['a']], {}, {'a': 1},
       {'cup': ['cup']}, {'cup': [0.1, 0.2]}, ['cup'] * 1000, [1, 2, 4], list(range(5000)))
SNIPPETS = ('!!python/object/apply:os.system [echo]', '!!bool x', '!!timestamp x', '2021-13-45',
            '&a [*a]', '? [a]', '[' * 3000, '<<: 1', '\t', '\0', '"\\ud800"', '9' * 5000, '--- a',
            '%YAML 9.9', '!!binary x', '!!float x', '0x' + 'f' * 9000)


def spoil_value(rng, folder):
    """Give a key of the manifest another value, or drop it."""
    file = folder / 'manifest.yaml'
    content = yaml.safe_load(file.read_text())
    key = rng.choice(list(content))
    where = content[key] if rng.random() < 0.5 and content[key] else content
    if isinstance(where, list):
        where[rng.randrange(len(where))] = rng.choice(ODD)
    elif isinstance(where, dict) and rng.random() < 0.8:
        where[rng.choice(list(where))] = rng.choice(ODD)
    else:
        del content[key]
    digits = {16 ** 5000: '0x1' + '0' * 5000}  # Python does not write it in decimal
    yaml.SafeDumper.add_representer(int, lambda dumper, value: dumper.represent_scalar(
        'tag:yaml.org,2002:int', digits.get(value) or str(value)))
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def spoil_text(rng, folder):
    """Change bytes of the manifest, cut it, or put something nasty into it."""
    file = folder / 'manifest.yaml'
    text = bytearray(file.read_bytes())
    at = rng.randrange(len(text))
    way = rng.randrange(3)
    if way == 0:
        text[at] = rng.randrange(256)
    elif way == 1:
        del text[at:]
    else:
        at = text.find(b': ', at) + 2
        text[at:at + rng.choice([0, 5])] = rng.choice(SNIPPETS).encode('utf-8', 'replace')
    file.write_bytes(text)


def spoil_bytes(rng, folder):
    """Change, drop or insert bytes of the model."""
    data = bytearray((folder / 'model.onnx').read_bytes())
    for _ in range(rng.choice([1, 1, 2, 5])):
        at, way = rng.randrange(len(data)), rng.randrange(3)
        if way == 0:
            data[at] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
        elif way == 1:
            del data[at:at + rng.randrange(1, 30)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 12))
    write_model(folder, bytes(data), rng.random() < 0.9)


def spoil_graph(rng, folder):
    """Change something of the graph that protobuf still reads."""
    model = onnx.load(str(folder / 'model.onnx'))
    graph, way = model.graph, rng.randrange(7)
    node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
    if way == 0:
        node.op_type = rng.choice(['Identity', 'EPContext', 'Loop', 'Nothing', 'Conv', '\n'])
    elif way == 1:
        node.domain = rng.choice(['com.microsoft', 'my.ops', 'ai.onnx', 'ai.onnx.ml'])
    elif way == 2:
        tensor.dims[:] = rng.choice([[], [0], [-1], [1 << 62], [1 << 31, 1 << 31], [3, 3]])
    elif way == 3:
        tensor.data_type = rng.randrange(30)
    elif way == 4:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key='location', value=rng.choice(['/etc/passwd', '../x', 'x']))
    elif way == 5:
        del graph.node[rng.randrange(len(graph.node))]
    else:
        shape = rng.choice(graph.input).type.tensor_type.shape
        shape.dim.add().dim_value = rng.choice([0, -1, 1, 1 << 40])
    write_model(folder, model.SerializeToString(), rng.random() < 0.9)


def write_model(folder: Path, data: bytes, checksum: bool = True):
    """Replace the model of a bundle and, if wanted, put the checksum right."""
    (folder / 'model.onnx').write_bytes(data)
    if checksum:
        file = folder / 'manifest.yaml'
        right = f'sha256: {hashlib.sha256(data).hexdigest()}'.encode()
        file.write_bytes(re.sub(b'sha256: [^\n]*', right, file.read_bytes()))


def spoil_files(rng, folder):
    """Put something else where a file was."""
    file = folder / rng.choice(['manifest.yaml', 'model.onnx'])
    file.unlink()
    way = rng.randrange(7)
    if way == 0:
        file.mkdir()
    elif way == 1:
        os.mkfifo(file)
    elif way == 2:
        with file.open('wb') as stream:
            stream.truncate(1 << 40)  # takes no room on the disk
    elif way < 6:
        file.symlink_to(['/dev/zero', file.name, '/etc/passwd'][way - 3])


SPOILERS = {'value': spoil_value, 'text': spoil_text, 'bytes': spoil_bytes, 'graph': spoil_graph,
            'files': spoil_files}


def judge(folder: Path) -> str:
    """
    Load a bundle and, if that works, run its student.

    :return: ``'used'``, or why not.
    :raises AssertionError: the refusal is not one short line, or a student does not answer.
    """
    try:
        student = Student(load_bundle(folder), threads=1)
    except BundleError as error:
        text = str(error).replace(str(folder), 'FOLDER')
        assert text.isprintable() and 0 < len(text) < 500, f'not one short line: {text!r}'
        return 'refused: ' + re.sub(r'[-\d]+|FOLDER/?', '#', text)[:50]
    shapes = (2, 64, 32, 3), (2, 64, 3)
    answer = student(*(np.ones(shape, np.float32) for shape in shapes), 64)
    assert answer.class_logits.shape == (2, len(student.bundle.classes))
    return 'used'


def fuzz(seed: str, folder: Path) -> str:
    """
    Make the bundle of this seed in a folder that is not there yet, and judge it.

    :return: what became of it.
    """
    rng = random.Random(seed)
    make_bundle(folder)
    ways = rng.sample(list(SPOILERS), rng.choice([0, 1, 1, 1, 1, 2]))
    for way in sorted(ways, key=list(SPOILERS).index):  # after the last one, files may be pipes
        try:
            SPOILERS[way](rng, folder)
        except Exception:  # noqa: B902 the change before has left nothing to change
            pass
    return judge(folder)


def main() -> int:
    """Fuzz; give 1 after a finding."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    options.add_argument('--bundles', type=int, default=3000)
    options.add_argument('--seed', default='0')
    options.add_argument('--only', metavar='SEED', help='make this one again, as told')
    args = options.parse_args()
    faulthandler.enable()
    outcomes, findings, slowest, start = Counter(), [], (0.0, ''), time.process_time()
    seeds = [args.only] if args.only else [f'{args.seed}/{i}' for i in range(args.bundles)]
    for seed in seeds:
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        before = time.process_time()
        with tempfile.TemporaryDirectory() as parent:
            try:
                outcome = fuzz(seed, Path(parent) / 'bundle')
            except Exception as error:  # noqa: B902 any but BundleError is what is looked for
                outcome = 'FINDING'
                findings.append(f'{seed}: {type(error).__name__}: {error}')
        outcomes[outcome] += 1
        slowest = max(slowest, ((time.process_time() - before) * 1e3, seed))
    faulthandler.cancel_dump_traceback_later()
    print(f'{len(seeds)} bundles, {len(findings)} findings, {time.process_time() - start:.0f} s '
          f'of processor time, slowest {slowest[0]:.0f} ms ({slowest[1]})\n')
    print('\n'.join([f'{count:8} {outcome}' for outcome, count in outcomes.most_common()]
                    + findings[:20]))
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
