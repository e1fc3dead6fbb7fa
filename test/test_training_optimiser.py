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

"""Muon and AdamW as one: which has what, schedules, states that go on."""

import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('lightning')  # with torch, what training needs

from torch import nn  # noqa: E402, I100

from training.tasks.optimiser import make_optimiser, Muon, MuonAndAdamW  # noqa: E402

SECTION = {'lr': 1e-2, 'muon': 2e-2, 'weight_decay': 0.0}


class Network(nn.Module):
    """A layer of points, one between hidden ones, a norm, a table and a head."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.points, self.hidden = nn.Linear(3, 16), nn.Linear(16, 16)
        self.norm, self.tokens = nn.LayerNorm(16), nn.Parameter(torch.randn(10, 16))
        self.class_head = nn.Sequential(nn.Linear(16, 16))

    def forward(self, x):
        x = self.norm(self.hidden(self.points(x).relu()))
        return self.class_head(x @ self.tokens.T @ self.tokens)


def steps(network, optimiser, count, schedule=None):
    """Learn on the same clouds, a step at a time."""
    x = torch.randn(32, 3, generator=torch.Generator().manual_seed(1))
    for _ in range(count):
        loss = (network(x) - x.repeat(1, 6)[:, :16]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if schedule:
            schedule.step()
    return float(loss.detach())


def test_matrices_between_hidden_layers_are_moved_by_muon():
    network = Network()
    optimiser = make_optimiser(network, SECTION)
    first, second = (list(part.param_groups[0]['params']) for part in optimiser.parts)
    assert len(first) == 1 and first[0] is network.hidden.weight
    assert len(second) == len(list(network.parameters())) - 1
    before = network.hidden.weight.detach().clone()
    steps(network, optimiser, 1)
    # Its directions are of a size, those of the gradient are not.
    moved, slope = (torch.linalg.svdvals(m) for m in (
        before - network.hidden.weight.detach(), network.hidden.weight.grad))
    assert (moved / moved[0]).sum() > 2 * (slope / slope[0]).sum()
    assert isinstance(make_optimiser(network, {**SECTION, 'muon': 0}), torch.optim.AdamW)


def test_what_does_not_learn_is_left_out():
    network = Network()
    network.points.requires_grad_(False)
    optimiser = make_optimiser(network, SECTION)
    network.hidden.requires_grad_(False)
    assert isinstance(make_optimiser(network, SECTION), torch.optim.AdamW)
    network.hidden.requires_grad_(True)
    left = {id(p) for group in optimiser.param_groups for p in group['params']}
    assert left == {id(p) for p in network.parameters() if p.requires_grad}


def test_one_schedule_drives_both():
    network = Network()
    optimiser = make_optimiser(network, SECTION)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5 ** step)
    steps(network, optimiser, 2, schedule)
    assert [part.param_groups[0]['lr'] for part in optimiser.parts] == [2e-2 / 4, 1e-2 / 4]


def test_a_saved_state_goes_on_as_if_never_stopped(tmp_path):
    networks = Network(), Network()
    optimisers = [make_optimiser(n, SECTION) for n in networks]
    assert isinstance(optimisers[0], MuonAndAdamW)
    wanted = steps(networks[0], optimisers[0], 8)
    assert wanted < steps(Network(), make_optimiser(Network(), SECTION), 1)
    steps(networks[1], optimisers[1], 5)
    torch.save((networks[1].state_dict(), optimisers[1].state_dict()), tmp_path / 'state')
    weights, state = torch.load(tmp_path / 'state', weights_only=True)
    again = Network()
    again.load_state_dict(weights)
    optimiser = make_optimiser(again, {**SECTION, 'lr': 1.0, 'muon': 1.0})
    optimiser.load_state_dict(state)
    assert steps(again, optimiser, 3) == wanted
    assert [g['lr'] for g in optimiser.param_groups] == [2e-2, 1e-2]


@pytest.mark.parametrize('shapes', [[(16, 16)], [(24, 8), (8, 24), (24, 8)]])
def test_matrices_move_as_by_the_muon_of_pytorch(shapes):
    """But for the bits: PyTorch makes them orthogonal in 16."""
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(s)) for s in shapes]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    begun = [p.detach().clone() for p in ours]
    first = Muon(ours, 1e-2, weight_decay=0.1, adjust_lr_fn='match_rms_adamw')
    second = torch.optim.Muon(theirs, 1e-2, weight_decay=0.1, adjust_lr_fn='match_rms_adamw')
    for _ in range(3):
        for p, q in zip(ours, theirs):
            p.grad = torch.randn(p.shape)
            q.grad = p.grad.clone()
        first.step()
        second.step()
    for p, q, was in zip(ours, theirs, begun):
        assert (p - q).norm() < 0.03 * (q - was).norm()


def test_a_gate_and_what_does_not_decay_are_not_for_muon():
    network = Network()
    network.gate = nn.Sequential(nn.Linear(16, 16))
    optimiser = make_optimiser(network, {**SECTION, 'weight_decay': 0.1}, [network.points])
    assert [p is network.hidden.weight for p in optimiser.parts[0].param_groups[0]['params']] == [
        True]
    decay = {id(p): group['weight_decay'] for group in optimiser.param_groups
             for p in group['params']}
    assert decay.keys() == {id(p) for p in network.parameters()}
    assert {decay[id(p)] for p in network.points.parameters()} == {0.0}
    assert decay[id(network.gate[0].weight)] == decay[id(network.hidden.weight)] == 0.1
