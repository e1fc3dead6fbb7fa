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

"""Values of command line options, checked as they are read."""

import argparse

from foundry_ros.config import TOKEN_BUDGETS


def token_budget(text: str) -> int:
    """Read ``--token-budget``: 0 stands for auto."""
    if text == 'auto':
        return 0
    if text not in [str(b) for b in TOKEN_BUDGETS]:
        menu = ', '.join(str(b) for b in TOKEN_BUDGETS)
        raise argparse.ArgumentTypeError(f'takes auto or one of {menu}, not {text!r}')
    return int(text)


def positive(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'takes a whole number from 1, not {text!r}')
    return int(text)
