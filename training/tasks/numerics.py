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

"""What a run leaves to the machine: in how many bits it multiplies, and whether it compiles."""

import math
from typing import Any, Dict

import torch

# Steps from which a compiled run on a GPU has saved the minute that compiling it takes.
WORTH_COMPILING = 10_000


def device_of(accelerator: str) -> torch.device:
    """Give the device that a trainer told ``accelerator`` computes on, in a single process."""
    on_gpu = accelerator != 'cpu' and torch.cuda.is_available()
    return torch.device('cuda' if on_gpu else 'cpu')


def accelerator_of(asked: str) -> str:
    """Name to Lightning what ``auto`` stands for: CUDA where there is a GPU for it, or the CPU."""
    return device_of(asked).type if asked == 'auto' else asked


def multiplies_bfloat16(accelerator: str) -> bool:
    """Tell whether products of bfloat16 are instructions of the machine's own, not emulated."""
    if device_of(accelerator).type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ('avx512_bf16', 'amx_bf16', 'bf16'))


def settle(trainer: Dict[str, Any], steps: float = math.inf) -> Dict[str, Any]:
    """
    Decide what a configuration leaves open with ``precision: auto`` and ``compile: auto``.

    Where bfloat16 is emulated a step in it takes several times as long as in float32, and in
    float32 a compiled one is no faster on a CPU. On a GPU short runs are not compiled. What was
    decided is printed.

    :param trainer: section of a configuration. :param steps: of the run, where they are known.
    :return: the same with nothing left open.
    """
    if 'auto' not in (trainer['precision'], trainer['compile']):
        return trainer
    quick = multiplies_bfloat16(trainer['accelerator'])
    on_gpu = device_of(trainer['accelerator']).type == 'cuda'
    found = {'precision': 'bf16-mixed' if quick else '32-true',
             'compile': quick and (not on_gpu or steps >= WORTH_COMPILING)}
    settled = {**trainer, **{k: v for k, v in found.items() if trainer[k] == 'auto'}}
    print(f'precision {settled["precision"]}: this {"GPU" if on_gpu else "CPU"} multiplies '
          f'bfloat16 {"by itself" if quick else "by emulation alone"}; '
          f'{"" if settled["compile"] else "not "}compiled', flush=True)
    return settled
