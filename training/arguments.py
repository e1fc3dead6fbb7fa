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

"""Overrides on the command line in either form: ``trainer.devices=2``, ``--trainer.devices 2``."""

import itertools
import re
from typing import List, Sequence

OVERRIDE = re.compile(r'(--)?\w+(\.\w+)*=.*', re.DOTALL)
DOTTED = re.compile(r'--\w+(\.\w+)+')
WITH_VALUE = ('--config', '--data-root')  # what follows these is no override


def overrides_last(arguments: Sequence[str]) -> List[str]:
    """Put all overrides to the end, as ``name=value``: argparse wants them in one place."""
    options, overrides, rest = [], [], iter(arguments)
    for item in rest:
        if item in WITH_VALUE:
            options += [item, *itertools.islice(rest, 1)]
        elif OVERRIDE.fullmatch(item) and item.split('=')[0] not in WITH_VALUE:
            overrides.append(item[2:] if item.startswith('--') else item)
        elif DOTTED.fullmatch(item):
            overrides.append(f'{item[2:]}={next(rest, "")}')
        else:
            options.append(item)
    return options + overrides
