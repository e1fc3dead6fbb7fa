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

"""YAML that may come from anybody: plain data, or one error."""

from typing import Any, Union

from foundry_ros.pointcloud2 import one_line
import yaml


class YamlError(ValueError):
    """Text that is no YAML, in one line."""


def read_yaml(text: Union[str, bytes]) -> Any:
    """
    Read text as numbers, texts, lists and mappings; nothing in it is made or run.

    :raises YamlError: it is no YAML, nests too deeply, or asks for anything else.
    """
    try:
        return yaml.safe_load(text)
    except Exception as error:  # for "!!bool x", 2021-13-45 and others it is not a YAMLError
        raise YamlError(one_line(str(error), 200) or type(error).__name__) from None
