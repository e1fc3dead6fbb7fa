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
"""Products of numpy take one thread in the node and on the command line."""

import os
import subprocess
import sys

import pytest

ASK = """
import sys
import foundry_ros.__main__
import os
import numpy as np
np.ones((600, 600)) @ np.ones((600, 600))
print(os.environ['OPENBLAS_NUM_THREADS'], len(os.listdir('/proc/self/task')))
"""


def ask(**variables):
    """Give the number of threads asked for and that of the process after a product."""
    clean = {k: v for k, v in os.environ.items() if not k.endswith('_NUM_THREADS')}
    done = subprocess.run([sys.executable, '-c', ASK], env={**clean, **variables}, text=True,
                          capture_output=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(not os.path.isdir('/proc/self/task'), reason='only Linux lists threads')
def test_one_thread():
    """Set before numpy is there, or it would have no effect."""
    assert ask() == ['1', '1']


@pytest.mark.skipif(not os.path.isdir('/proc/self/task'), reason='only Linux lists threads')
def test_who_asks_for_more_gets_more():
    """What the environment says goes before."""
    assert ask(OPENBLAS_NUM_THREADS='2')[0] == '2'
