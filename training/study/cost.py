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
What each run of a study costs: time and memory in onnxruntime, multiply-accumulates, size.

One thread, all runs in one process in turn, the least of several rounds of the thread's own time:
a machine that is busy otherwise hardly shows. Weights are random, they cost what trained ones do.
"""

from pathlib import Path
import tempfile
import time
from typing import Any, Dict, Tuple, Union

import onnxruntime
import torch

from training import export
from training.export_fixed import write_graph, write_onnx
from training.models.exact import rewritten
from training.models.student import Student
from training.provenance import machine
from training.study import given, memory, runs
from training.study.fresh import network_key, network_of
from training.study.runs import Study
from training.tasks import describe
from training.tasks.distill import make_student
from training.tasks.finetune import Recogniser
from training.written import write_json

Budget = Union[int, str]
Key = Tuple[str, Budget]  # a network and its budget
OBJECTS, CLASSES, PARTS = 16, 59, 57  # a batch; classes and parts of a bundle, about


def recogniser(config) -> Recogniser:
    """Make a run's network with heads, of random weights."""
    torch.manual_seed(0)
    return Recogniser(make_student(config), config['teacher']['width'], CLASSES, PARTS,
                      part_hidden=config['heads']['part_hidden']).eval()


def counted(budget: Budget) -> bool:
    """Tell whether a budget costs the same for all objects: not where a gate decides."""
    return isinstance(budget, int) or budget.startswith(('random ', 'larger '))


def session(model: Recogniser, budget: Budget) -> Tuple[onnxruntime.InferenceSession, float]:
    """Open a network at one budget in onnxruntime, on one thread; give its memory [MiB] too."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.onnx'
        fewer = given.shape(model.student, budget)
        # All with the same algebra, but none with operators that only some could use.
        if fewer:
            write_graph(given.FewerGroups(rewritten(model)), path, *fewer, given.GROUPS)
        elif isinstance(model.student, Student):  # its choice of tokens is exported so alone
            export.write_onnx(model, path)
        else:
            write_onnx(rewritten(model), path, budget)
        return onnxruntime.InferenceSession(
            str(path), options, providers=['CPUExecutionProvider']), memory.mebibytes(
                path, str(budget).split()[-1], OBJECTS)


def milliseconds(sessions: Dict[Key, onnxruntime.InferenceSession],
                 rounds: int = 20) -> Dict[Key, float]:
    """
    Give the thread's time an object of each session, the least of the rounds.

    :param sessions: by name and budget.
    """
    inputs = {key: memory.batch(opened, key[1], OBJECTS) for key, opened in sessions.items()}
    least = dict.fromkeys(sessions, float('inf'))
    for _ in range(rounds + 1):  # the first warms up, and is not the least
        for key, opened in sessions.items():
            begun = time.thread_time()
            opened.run(None, inputs[key])
            least[key] = min(least[key], (time.thread_time() - begun) / OBJECTS * 1e3)
    return least


def measure(study: Study, rounds: int = 20) -> Dict[str, Any]:
    """Give what all runs cost at each of their budgets, side by side; write ``cost.json``."""
    sessions, found, of_run = {}, {}, {}
    for run in study.runs.values():
        config = runs.resolved(study, run, 1)['finetune']
        name, model, network = network_key(config), None, describe.network_of(config)
        for budget in filter(counted, run.budgets):
            key = of_run[run.name, budget] = name, budget
            if key not in sessions:
                model = model or recogniser(config)
                sessions[key], taken = session(model, budget)
                fewer = given.shape(network, budget)
                found[key] = {'macs': given.macs(network, *fewer) if fewer else
                              describe.macs(network, {}, budget),
                              'memory_mib': round(taken, 1),
                              'parameters': describe.parameters(network, {})}
    for key, least in milliseconds(sessions, rounds).items():
        found[key]['milliseconds'] = round(least, 4)
    whole: Dict[str, Any] = {
        'machine': machine(), 'threads': 1, 'objects': OBJECTS, 'runs': {},
        'networks': {run.name: network_of(study, run) for run in study.runs.values()}}
    for (name, budget), key in of_run.items():
        whole['runs'].setdefault(name, {})[str(budget)] = found[key]
    path = study.results / 'cost.json'
    write_json(path, whole)
    return whole
