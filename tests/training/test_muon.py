from copy import deepcopy

import pytest
import torch
from torch import nn

from pastforward.errors import UsageError
from pastforward.training import FitConfig, optimiser
from pastforward.training.optimiser import Muon, Optimiser, orthogonal


def test_singular_values_are_made_alike():
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(5, 24, 40, generator=generator)
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    spread = u * torch.logspace(0, -1.5, 24) @ v
    found = torch.linalg.svdvals(orthogonal(spread))
    assert found.min() > 0.6
    assert found.max() < 1.3
    # The singular vectors stay: what is left in their frame is diagonal.
    inside = u.mT @ orthogonal(spread) @ v.mT
    off = inside - torch.diag_embed(inside.diagonal(dim1=1, dim2=2))
    assert off.abs().max() < 1e-4


def test_large_matrices_in_bfloat16_are_those_in_float32_to_its_rounding(monkeypatch):
    generator = torch.Generator().manual_seed(2)
    spread = torch.randn(2, 256, 300, generator=generator) * torch.logspace(0, -1, 300)
    found = []
    for fast in (True, False):
        monkeypatch.setattr(optimiser, "_multiplies_bfloat16", lambda device, fast=fast: fast)
        found.append(orthogonal(spread))
    assert found[0].dtype == torch.float32
    assert 0 < (found[0] - found[1]).norm() < 0.02 * found[1].norm()
    assert orthogonal(spread.double()).dtype == torch.float64


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (5, 5), (1, 4), (4, 1)])
def test_like_that_of_torch(shape):
    """Ours in float32 and in stacks, theirs in bfloat16: alike to its rounding."""
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(shape, generator=generator)
    mine, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    other = nn.Parameter(torch.randn(shape[::-1], generator=generator))  # shares its stack
    own = Muon([mine, other], weight_decay=0.1)
    known = torch.optim.Muon(
        [theirs], lr=0.04, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )  # a scale of 0.2, ours 0.8
    for group in own.param_groups:
        group["lr"], group["weight_decay"] = 0.01, 0.4
    for _ in range(4):
        gradient = torch.randn(shape, generator=generator)
        mine.grad, theirs.grad, other.grad = gradient, gradient.clone(), gradient.mT.clone()
        own.step()
        known.step()
    moved = (theirs - start).norm()
    assert (mine - theirs).norm() < 0.03 * moved


def test_which_optimiser_moves_which_parameter():
    net = nn.ModuleDict({"table": nn.Embedding(5, 4), "map": nn.Linear(4, 6)})
    net["frozen"] = nn.Linear(4, 4).requires_grad_(False)
    optimiser = Optimiser([net, net["map"]], FitConfig())
    assert len(optimiser.parameters) == 3
    for parameter in optimiser.parameters:
        parameter.grad = torch.ones_like(parameter)
    before = net["map"].weight.clone()
    optimiser.step(0.01)
    step = before - net["map"].weight
    assert torch.linalg.matrix_rank(step - 1e-4 * before, atol=1e-4) == 1  # as the gradient is
    names = {key.rsplit(".", 1)[1] for key in optimiser.tensors()}
    assert names == {"momentum", "exp_avg", "exp_avg_sq", "step"}


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_goes_on_where_it_was(name):
    def fresh():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        return net, Optimiser([net], FitConfig(optimiser=name))

    def run(net, optimiser, first, last):
        for n in range(first, last):
            optimiser.zero_grad()
            x = torch.randn(8, 3, generator=torch.Generator().manual_seed(n))
            net(x).square().mean().backward()
            optimiser.step(0.01)

    whole, optimiser = fresh()
    run(whole, optimiser, 0, 6)
    half, optimiser = fresh()
    run(half, optimiser, 0, 3)
    resumed, other = fresh()
    resumed.load_state_dict(half.state_dict())
    other.restore(optimiser.tensors())
    run(resumed, other, 3, 6)
    for p, q in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=0)


def test_unused_matrices_stay():
    net = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
    optimiser = Optimiser(net, FitConfig())
    before = net[1].weight.clone()
    net[0](torch.ones(1, 3)).sum().backward()
    optimiser.step(0.1)
    assert torch.equal(before, net[1].weight)


def test_no_such_optimiser():
    with pytest.raises(UsageError, match="optimiser is 'mouon'; did you mean 'muon'"):
        FitConfig(optimiser="mouon")


def test_adamw_is_torchs_adamw():
    config = FitConfig(optimiser="adamw")
    ours = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    theirs = deepcopy(ours)
    matrices, vectors = ([p for p in theirs.parameters() if p.dim() == n] for n in (2, 1))
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors}]
    other = torch.optim.AdamW(groups, 1e-2, (0.9, 0.99), weight_decay=0.0, fused=True)
    optimiser = Optimiser([ours], config)
    for _ in range(3):
        for network in (ours, theirs):
            network.zero_grad()
            network(torch.ones(5, 3)).square().sum().backward()
        optimiser.step(1e-2)
        other.step()
    for one, same in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, same)
