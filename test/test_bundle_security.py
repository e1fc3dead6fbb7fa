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

"""Bundles from somebody who means harm, or whose disk failed: used as they are, or refused."""

import os

from foundry_ros import onnx_check
from foundry_ros.bundle import BundleError, load_bundle
from foundry_ros.onnx_check import offences
from fuzz_bundles import fuzz, judge, write_model
from mock_bundle import make_bundle, make_model
import onnx
import pytest


@pytest.fixture
def bundle(tmp_path):
    """Give a whole bundle."""
    return make_bundle(tmp_path / 'bundle')


def refusal(folder) -> str:
    """Load a bundle; give the one line that says why not."""
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    assert str(error.value).isprintable()
    return str(error.value)


def test_spoilt_bundles(tmp_path):
    """Some are used, some refused in many ways; nothing else happens."""
    outcomes = [fuzz(f'test/{i}', tmp_path / str(i)) for i in range(80)]
    assert 'used' in outcomes and len(set(outcomes)) > 10


def test_a_whole_bundle_is_used(bundle):
    """The judge of the spoilt ones takes it."""
    assert judge(bundle) == 'used'


@pytest.mark.parametrize('name', ['manifest.yaml', 'model.onnx'])
def test_what_is_no_file(bundle, name):
    """Nobody waits for a pipe, reads a device without end or a terabyte."""
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    assert f'{name} is no file' in refusal(bundle)
    (bundle / name).unlink()
    (bundle / name).mkdir()
    assert f'{name} is no file' in refusal(bundle)
    (bundle / name).rmdir()
    with (bundle / name).open('wb') as file:
        file.truncate(1 << 40)
    assert 'has 1099511627776 bytes' in refusal(bundle)


@pytest.mark.parametrize('target', ['/dev/zero', '/etc/passwd', 'model.onnx', '../elsewhere'])
def test_links_out_of_the_folder(bundle, target):
    """A link is followed nowhere: not to devices, not to itself, not up."""
    (bundle / 'model.onnx').unlink()
    (bundle / 'model.onnx').symlink_to(target)
    assert 'links to files outside' in refusal(bundle) or 'cannot read' in refusal(bundle)


def test_both_files_linked(bundle, tmp_path):
    """As colcon links them, they are one bundle elsewhere; under other names they are not."""
    linked = tmp_path / 'linked'
    linked.mkdir()
    for name in ('manifest.yaml', 'model.onnx'):
        (linked / name).symlink_to(bundle / name)
    assert load_bundle(linked).name == 'mock'
    (bundle / 'model.onnx').rename(bundle / 'other.bin')
    (linked / 'model.onnx').unlink()
    (linked / 'model.onnx').symlink_to(bundle / 'other.bin')
    assert 'links to files outside' in refusal(linked)


def test_parts_compiled_elsewhere():
    """A provider would load what such a node holds, or the file that it names."""
    model = make_model()
    model.graph.node[0].op_type, model.graph.node[0].domain = 'EPContext', 'com.microsoft'
    assert offences(model.SerializeToString()) == ['holds a part that was compiled for another '
                                                   'program']


def test_weights_of_functions():
    """Defaults of a model's own functions are looked through, too."""
    model, tensor = make_model(), onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
    function = model.functions.add(name='f', domain='')
    function.attribute_proto.add(name='a', t=tensor, type=onnx.AttributeProto.TENSOR)
    assert offences(model.SerializeToString()) == ['keeps weights in another file']


def field(key: int, *values: int) -> bytes:
    """Write a field of protobuf: its key as a variable-length integer, then bytes."""
    data = []
    while key > 127:
        data, key = [*data, key & 127 | 128], key >> 7
    return bytes([*data, key, *values])


def inside(*fields: bytes) -> bytes:
    """Put fields into the first node of a model."""
    node = b''.join(fields)
    graph = field(1 << 3 | 2, len(node)) + node
    return field(7 << 3 | 2, len(graph)) + graph


def test_what_protobuf_would_read_otherwise():
    """
    Keys of more than 32 bits, which protobuf shortens, cannot hide a node.

    A number where a name belongs is none: least of all a number of bytes to set aside.
    """
    hidden = field(7 << 3 | 2, 3, *b'odd')
    assert offences(inside(hidden)) == ['needs the custom operator odd:']
    with pytest.raises(ValueError, match='no'):
        offences(inside(field(1 << 32 | 7 << 3 | 2, 3, *b'odd')))
    assert offences(inside(field(4 << 3, *[255] * 9, 1))) == []
    with pytest.raises(ValueError, match='own format'):
        offences(b'\x08\x01\x12\x00ORTM')


def test_absurdly_many_fields(monkeypatch):
    """They would keep the loader busy for minutes."""
    monkeypatch.setattr(onnx_check, '_MOST_FIELDS', 100)
    assert offences(b'\x08\x01' * 100) == []
    with pytest.raises(ValueError, match='too many fields'):
        offences(b'\x08\x01' * 101)


def test_names_that_are_no_text(bundle):
    """Names in a model may be any bytes; onnxruntime finds out only when it is asked for them."""
    data = (bundle / 'model.onnx').read_bytes()
    write_model(bundle, data.replace(b'centers', b'cent\xffrs'))
    assert 'has a name that is no' in judge(bundle)
