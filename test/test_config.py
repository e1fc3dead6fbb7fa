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

"""Parameter files are read, or refused in words that help."""

from foundry_ros import config, parameter_file
import pytest


@pytest.fixture
def read(tmp_path):
    """Read a parameter file of the given text."""
    def run(text):
        file = tmp_path / 'p.yaml'
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return parameter_file.load(str(file))
    return run


def test_forms(read):
    """Sections, dotted names, the form of ROS and an empty file are all read."""
    for text in ('objects: {mode: room}', 'objects.mode: room',
                 '/**: {ros__parameters: {objects: {mode: room}}}',
                 'node: {ros__parameters: {objects.mode: room}}'):
        assert read(text).objects.mode == 'room'
    assert read('') == read('objects:') == config.Params()
    assert read('objects: {min_size: 2.0, mode: room}').objects.min_size == 2.0


@pytest.mark.parametrize('text, said', [
    ('objects: {voxelsize: 0.1}', "'objects.voxelsize'; did you mean 'objects.voxel_size'"),
    ('5: 3', 'there is no parameter 5'),
    ('true: {1: 2}', "there is no parameter 'True.1'"),
    ('objects: room', 'write `objects: {mode: room}`'),
    ('node: {ros__parameters: {objects: lidar}}', 'write `objects: {mode: lidar}`'),
    ('crop: 3', 'crop holds parameters, each by its name: write `crop: {min_range: ...}`'),
    ('crop: [1, 2]', 'crop holds parameters'),
    ('objects: {mode: kitchen}', 'takes one of tabletop, room, lidar'),
    ('objects: {voxel_size: -1}', 'takes 0 to 1.0, not -1.0'),
    ('objects: {voxel_size: small}', "takes a float, not 'small'"),
    ('objects: {voxel_size: .nan}', 'takes a finite number'),
    ('crop: {min_x: 2.0, max_x: 1.0}', 'crop.min_x 2.0 is more than crop.max_x 1.0'),
    ('objects: {min_size: 2.0}', 'objects.min_size 2.0 is more than objects.max_size 1.0'),
    ('budget: {min: 32, max: 4}', 'budget.min 32 is more than budget.max 4'),
    ('objects: [', 'cannot read the parameter file'),
    ('objects: 2021-13-45', 'cannot read the parameter file'),
    ('objects: !!bool x', 'cannot read the parameter file'),
    ('[' * 5000, 'cannot read the parameter file'),
    (b'\xff\xfe\xff', 'cannot read the parameter file'),
    ('- a', 'it should be a mapping'),
    ('hello', 'it should be a mapping'),
])
def test_refusals(read, text, said):
    """What is wrong is told, never a traceback of another kind."""
    with pytest.raises(config.ConfigError) as error:
        read(text)
    assert said in str(error.value)
