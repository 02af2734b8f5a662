"""Ranks that share each sequence, a piece of its steps each: `--dist.time`."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from pieces_ranks import timed, weights
from small_runs import SMALL, begin, never

from pastforward.blocks import Transformer, local_attention
from pastforward.errors import UsageError
from pastforward.methods import SMTConfig
from pastforward.pieces import Piece, cut
from pastforward.training import DistConfig
from pastforward.training import networks as networks_module
from pastforward.training.folder import RunFolder
from pastforward.training.trainer import Trainer

TESTS = Path(__file__).parent.parent


def run(ranks: int, *words: object) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    script = Path(__file__).with_name("pieces_ranks.py")
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*launch, str(ranks), str(script), *map(str, words)], capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


needs_ranks = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()),
    reason="this torch was built without gloo",
)


@needs_ranks
def test_three_ranks_give_losses_and_gradients_of_one():
    run(3)


@needs_ranks
def test_two_ranks_train_as_one_process(tmp_path):
    """Stages that are cut; before the last one, whose batches are not those of one process."""
    run(2, tmp_path)
    sides = [weights(tmp_path / mode).values() for mode in ("ddp", "fsdp")]
    for one, other in zip(*sides, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    alone = begin(tmp_path / "alone", timed())
    alone.train((), never)
    rows = [RunFolder(tmp_path / name).metrics.read() for name in ("ddp", "alone")]
    for found, expected in zip(*rows, strict=True):
        if found["stage"] != "bptt":
            assert found["tokens"] == expected["tokens"]
            assert found["valid"] == pytest.approx(expected["valid"], rel=1e-4)


@pytest.mark.parametrize("length", [1, 2, 5, 11, 16])
@pytest.mark.parametrize("window", [1, 2, 3, 5, 16])
def test_local_attention_is_masked_attention(length, window):
    torch.manual_seed(0)
    parts = [torch.randn(2, 3, length, 4, dtype=torch.float64, requires_grad=True) for _ in "qkv"]
    back = torch.arange(length)[:, None] - torch.arange(length)
    mask = (back >= 0) & (back < window)
    sides = []
    for read in (
        local_attention(*parts, window),
        torch.nn.functional.scaled_dot_product_attention(*parts, attn_mask=mask),
    ):
        sides.append([read, *torch.autograd.grad(read.cos().sum(), parts)])
    for a, b in zip(*sides, strict=True):
        torch.testing.assert_close(a, b)


def test_a_window_reaches_back_so_far_and_no_farther():
    torch.manual_seed(0)
    tower = Transformer(8, 2, 2, 12, causal=True, window=3).double()
    assert tower.reach == 4
    x = torch.randn(1, 12, 8, dtype=torch.float64)
    changed = x.clone()
    changed[0, 3] += 1.0
    moved = (tower(x) - tower(changed)).abs().sum(-1)[0] > 0
    assert moved.tolist() == [3 <= t <= 3 + tower.reach for t in range(12)]
    torch.testing.assert_close(tower(x[:, 2:], first=2)[:, 4:], tower(x)[:, 6:])


def test_pieces_are_all_of_a_sequence():
    for length, count in ((11, 2), (11, 3), (3, 3), (7, 1)):
        pieces = [Piece(n, cut(length, count)) for n in range(count)]
        steps = [t for piece in pieces for t in range(piece.begin + 1, piece.end + 1)]
        assert steps == list(range(1, length + 1))
        sizes = [piece.end - piece.begin for piece in pieces]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, r"there are 1 processes; start a multiple of it \(torchrun\)"),
        ({"stages": SMALL.stages[2:]}, "no stage's method cuts sequences; take smt"),
        ({"smt": SMTConfig(transitions=3)}, "--smt.transitions samples some"),
        ({"dist": DistConfig(time=98)}, r"sequences have \d+ steps; give that or less"),
        ({"teacher": SMALL.teacher}, r"'state' can't be cut: .* give --teacher.window"),
        (
            {"teacher": replace(SMALL.teacher, encoder="registers", window=2)},
            "'registers' can't be cut: its registers attend to all states before",
        ),
    ],
)
def test_what_can_not_be_cut_is_refused(changes, says, tmp_path, monkeypatch):
    if "there are" not in says:
        monkeypatch.setattr(networks_module, "world", lambda: 2 * 49)
    stages = tuple(replace(stage, share=1 / len(changes.get("stages", SMALL.stages)))
                   for stage in changes.get("stages", SMALL.stages))  # fmt: skip
    base = replace(timed(), **{"dist": DistConfig(time=2)} | changes)
    with pytest.raises(UsageError, match=f"--dist.time is .*, but .*{says}"):
        Trainer(replace(base, stages=stages), RunFolder(tmp_path / "run"))
