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

"""Keep a run's weights in half precision: small enough to commit, and all that others need."""

from pathlib import Path

import torch

from training.tasks.common import student_of
from training.tasks.origin import Origin, origin_of


def run(config, resume=False):
    """Write ``kept`` of the configuration from the last checkpoint of its run."""
    del resume
    last = Path(config['output']) / 'last.ckpt'
    state = torch.load(last, map_location='cpu', weights_only=True)['state_dict']
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    kept = Path(config['kept'])
    kept.parent.mkdir(parents=True, exist_ok=True)
    made = {'config': {'student': student_of(last)}}  # what its weights do not tell
    origin = {k: v for k, v in origin_of(last).items() if k != 'config'}
    torch.save({'state_dict': half, 'hyper_parameters': made,
                'callbacks': {Origin.__name__: origin}}, kept)
    print(f'wrote {kept}: {kept.stat().st_size / 1e6:.1f} MB')
