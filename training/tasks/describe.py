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

"""Count parameters and multiply-accumulates of a configuration's network, part by part."""

import json
from typing import Any, Dict, List, Optional

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from training.config import ConfigError
from training.data import sets, vocabulary
from training.models.backbone import Backbone, pool
from training.models.heads import ClassHead, make_class_head, PartHead, TwoClassHeads
from training.models.point_parts import PointParts
from training.models.reduced import FirstGroups, LargerGroups, Reduced, Selected
from training.models.regions import RegionStudent
from training.models.student import Student
from training.tasks.common import size_of
from training.tasks.distill import make_student
from training.tasks.initial import head_width

# Part of the network: the modules that make it up, by name.
PARTS = {'tokenizer': ['backbone.tokenizer'], 'position': ['backbone.position'],
         'dso': ['supertokens', 'mix', 'gather', 'span', 'whole'], 'encoder': ['backbone.encoder'],
         'cau': ['upsample', 'overall', 'own', 'own_overall'],
         'gate': ['gate']}
INTERPOLATE = (FirstGroups, LargerGroups, Selected)


class Teacher(nn.Module):
    """A backbone under the name that it has in a student."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, groups, centers, budget):
        """Encode all tokens, whatever the budget."""
        del budget
        return self.backbone(groups, centers)


def network_of(config) -> nn.Module:
    """Make a configuration's student, or the teacher where it has none, without memory."""
    with torch.device('meta'):
        made = make_student(config) if 'student' in config else Teacher(
            Backbone(size_of(config['model'])))
    return made.eval().requires_grad_(False)


def heads_of(config, network: nn.Module) -> Dict[str, nn.Module]:
    """Make the heads that are fine-tuned with a network, without memory; {} where none are."""
    if 'heads' not in config:
        return {}
    heads, width = config['heads'], head_width(config)
    widths, dropout = getattr(network, 'summary_widths', (2 * width,)), heads.get('dropout', 0.0)
    with torch.device('meta'):
        if 'levels' in heads:
            made = {'points': PointParts(width, heads['classes'], heads['parts'])}
        elif 'classes' in heads:
            made = {'classes': make_class_head(widths, heads['classes'], dropout)}
        else:  # as many as the robot's vocabulary has
            root = config['data']['root']
            modelnet, parts = sets.read('modelnet40_train', root), sets.read('parts_train', root)
            made = {'classes': make_class_head(
                        widths, len(vocabulary.classes(modelnet, parts)), dropout),
                    'parts': PartHead(width, len(parts.part_names), heads['part_hidden'])}
    return {name: head.eval().requires_grad_(False) for name, head in made.items()}


def budgets_of(config) -> List[Optional[int]]:
    """List the budgets that a configuration trains."""
    if 'student' not in config:
        return [None]
    odds = config.get('budgets')
    drawn = [b for b in odds if odds[b]] if odds else config['student'].get('budgets')
    if drawn:
        return sorted({*drawn, *config.get('beside', [])})
    supertokens, groups = config['student']['supertokens'], config['data']['groups']
    return [supertokens, *range(2 * supertokens, groups + 1, supertokens)
            ] if config['student'].get('gate') else [supertokens]


def parameters(network: nn.Module, heads: Dict[str, nn.Module]) -> Dict[str, int]:
    """Count parameters by part; ``total`` leaves heads apart."""
    modules = dict(network.named_modules())
    found = {part: sum(p.numel() for name in names if name in modules
                       for p in modules[name].parameters()) for part, names in PARTS.items()}
    found['total'] = sum(p.numel() for p in network.parameters())
    found['heads'] = sum(p.numel() for head in heads.values() for p in head.parameters())
    return found


def macs(network: nn.Module, heads: Dict[str, nn.Module], budget: Optional[int],
         groups: int = 64, neighbours: int = 32, points: int = 1024) -> Dict[str, float]:
    """
    Count the multiply-accumulates of one object by part, matrix products of any kind.

    :return: the parts, ``total`` without heads, ``heads``, and ``as_table_5``: linear layers
        alone, the tokenizer's mixing layer on the concatenation, no projection of positions.
    """
    batch = 64  # as Table 5: what depends on the weights alone is then computed once for 64
    inputs = torch.empty(batch, groups, neighbours, 3, device='meta'), torch.empty(
        batch, groups, 3, device='meta')
    with FlopCounterMode(display=False) as counter:
        made = network(*inputs, budget)
    root = type(network).__name__
    counts = {name[len(root) + 1:]: sum(ops.values()) / 2 / batch
              for name, ops in counter.get_flop_counts().items() if name.startswith(root)}
    found = {part: sum(counts.get(name, 0.0) for name in names) for part, names in PARTS.items()}
    _share_out(network, found, counts, budget, groups)
    found['total'] = sum(found.values())
    tokens = getattr(made, 'tokens', made)
    summary = made.summary if isinstance(network, RegionStudent) else pool(tokens)
    found['heads'] = sum(_of_head(head, tokens, summary, inputs[1], points)
                         for head in heads.values())
    found['as_table_5'] = sum(
        counts.get(name, 0.0) for name, module in network.named_modules()
        if isinstance(module, nn.Linear)) + _uncounted(network.backbone, groups, neighbours)
    return {part: round(count) for part, count in found.items()}


def _share_out(network, found, counts, budget, groups):
    """Give what is not done in a part's own module to that part, too."""
    size, rest = network.backbone.size, counts[''] - sum(found.values())
    if size.tokens not in (0, size.width):  # positions go through the tokenizer's projection
        found['position'] += groups * size.tokens * size.width
        rest -= groups * size.tokens * size.width
    weighs = isinstance(network, Student) and network.encode or isinstance(network, INTERPOLATE)
    if weighs and budget is not None and budget < groups:
        found['cau'] += groups * budget * size.width  # handing back
        rest -= groups * budget * size.width
    if isinstance(network, Student):
        found['gate'] += rest  # choosing the tokens that are kept
    elif not isinstance(network, Reduced):
        found['dso'] += rest  # where regions are
    else:  # where the encoder is not called as a whole it is its blocks, else the operator
        found['dso' if found['encoder'] else 'encoder'] += rest


def _uncounted(backbone, groups, neighbours):
    """Give what Table 5 counts and we do not, less what we count and it does not."""
    if not hasattr(backbone.tokenizer, 'mix'):  # not the published one: the table has no such row
        return 0
    mix = groups * neighbours * backbone.tokenizer.mix.weight.numel()
    size = backbone.size
    return mix - (groups * size.tokens * size.width if size.tokens not in (0, size.width) else 0)


def _of_head(head, tokens, summary, centers, points):
    """Count the multiply-accumulates of a head for one object."""
    batch = len(tokens)
    with FlopCounterMode(display=False) as counter:
        if isinstance(head, (ClassHead, TwoClassHeads)):
            head(summary)
        elif isinstance(head, PartHead):
            head(tokens)
        else:
            head(tokens, centers, torch.empty(batch, points, 3, device='meta'),
                 torch.zeros(batch, dtype=torch.long, device='meta'))
    return counter.get_total_flops() / 2 / batch


def describe(config) -> Dict[str, Any]:
    """Describe the network of a configuration, ready for JSON."""
    if 'model' not in config:
        raise ConfigError('a configuration without "model" describes no network')
    network, data = network_of(config), config['data']
    heads = heads_of(config, network)
    sizes = {k: data[k] for k in ('groups', 'neighbours', 'points') if k in data}
    return {'network': type(network).__name__, 'parameters': parameters(network, heads),
            'macs': {str(budget or 'all'): macs(network, heads, budget, **sizes)
                     for budget in budgets_of(config)}}


def run(config, resume=False):
    """Print the description as JSON."""
    del resume
    print(json.dumps(describe(config), indent=1))
