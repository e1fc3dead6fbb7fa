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
What the rows of tables cost: time and memory in onnxruntime, multiply-accumulates, size.

One thread, all rows in one process in turn, the least of several rounds of the thread's own time:
a machine that is busy otherwise hardly shows. Weights are random, they cost what trained ones do.
"""

from pathlib import Path
import tempfile
import time
from typing import Any, Dict, Mapping, Tuple, Union

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
    """Make a configuration's network with heads, of random weights."""
    torch.manual_seed(0)
    return Recogniser(make_student(config), config['teacher']['width'], CLASSES, PARTS,
                      **{k: config['heads'][k] for k in ('part_hidden',)
                         if k in config.get('heads', {})}).eval()


def counted(budget: Budget) -> bool:
    """Tell whether a budget costs the same for all objects: not where a gate decides."""
    return isinstance(budget, int) or budget.startswith(('random ', 'larger '))


def session(model: Recogniser, budget: Budget,
            objects: int = OBJECTS) -> Tuple[onnxruntime.InferenceSession, float]:
    """
    Open a network at one budget in onnxruntime, on one thread; give its memory [MiB], too.

    :param objects: in the batch that it holds then.
    """
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
                path, str(budget).split()[-1], objects)


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


def figures(asked: Mapping[Any, Tuple[Dict[str, Any], Budget]], rounds: int = 20,
            objects: int = OBJECTS) -> Dict[Any, Dict[str, Any]]:
    """
    Give what networks cost side by side; those that are alike are measured once.

    :param asked: configuration and budget by any names. :param objects: of which the memory is
        measured; the time is of batches of 16.
    :return: by the same names ``macs``, ``memory_mib``, ``parameters``, ``milliseconds``.
    """
    sessions: Dict[Key, onnxruntime.InferenceSession] = {}
    found: Dict[Key, Dict[str, Any]] = {}
    keys = {name: (network_key(config), budget) for name, (config, budget) in asked.items()}
    made, model = '', None
    for name, (config, budget) in asked.items():
        key = keys[name]
        if key in sessions:
            continue
        if made != key[0]:
            made, model = key[0], recogniser(config)
        network = describe.network_of(config)
        sessions[key], taken = session(model, budget, objects)
        fewer = given.shape(network, budget)
        found[key] = {'macs': given.macs(network, *fewer) if fewer else
                      describe.macs(network, {}, budget),
                      'memory_mib': round(taken, 1),
                      'parameters': describe.parameters(network, {})}
    for key, least in milliseconds(sessions, rounds).items():
        found[key]['milliseconds'] = round(least, 4)
    return {name: found[key] for name, key in keys.items()}


def measure(study: Study, rounds: int = 20) -> Dict[str, Any]:
    """Give what all runs cost at each of their budgets, side by side; write ``cost.json``."""
    asked = {}
    for run in study.runs.values():
        config = runs.resolved(study, run, 1)['finetune']
        asked.update({(run.name, b): (config, b) for b in run.budgets if counted(b)})
    whole: Dict[str, Any] = {
        'machine': machine(), 'threads': 1, 'objects': OBJECTS, 'runs': {},
        'networks': {run.name: network_of(study, run) for run in study.runs.values()}}
    for (name, budget), row in figures(asked, rounds).items():
        whole['runs'].setdefault(name, {})[str(budget)] = row
    path = study.results / 'cost.json'
    write_json(path, whole)
    return whole
