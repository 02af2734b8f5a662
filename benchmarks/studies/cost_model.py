"""The cost model beside the clock: operations, bytes kept and time of each part of a joint step.

    python benchmarks/parts.py        writes benchmarks/results/parts.json

T = 256, K = 4, D = 64, 16 sequences, teacher of width 64 and depth 4, MLP cell: the sizes of
`pastforward bench step`. Bytes are those of all tensors that autograd keeps for the way back,
counted while it keeps them. Times are forward and backward, eager, medians of rounds in turn.
"""

import datetime
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.speed.cost import block_macs, decoder_macs, encoder_macs, student_macs
from benchmarks.speed.measuring import interleaved
from benchmarks.speed.networks import DEPTH, SYMBOLS, WIDTH, networks, symbols
from pastforward.config import SMTConfig
from pastforward.hardware import processor
from pastforward.methods.smt import JointSMT
from pastforward.teacher.decoder import futures

LENGTH, BATCH, SLOTS, FUTURE = 256, 16, 4, 32
RESULTS = Path(__file__).parent / "results" / "parts.json"


def kept_bytes(forward: Callable[[], Tensor]) -> int:
    """Bytes of the storages that the way back of `forward` needs, each counted once."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        out = forward()
    del out
    return sum(storages.values())


def parts() -> dict[str, tuple[Callable[[], Tensor], float]]:
    """Forward passes, and their multiplications per step of a sequence."""
    student, teacher = networks(LENGTH, "mlp", SLOTS)
    batch = symbols(BATCH, LENGTH)
    encoder, decoder = teacher.encoder, teacher.decoder
    states = encoder._states(batch.x).detach()
    targets = encoder.targets(batch.x).detach()
    before, after = targets[:, :-1].clone(), targets[:, 1:].clone()
    times = torch.randint(1, LENGTH, (BATCH, 1), generator=torch.Generator().manual_seed(0))
    future = futures(batch, times, FUTURE)
    joint = JointSMT(student, teacher, SMTConfig(future=FUTURE, anchors=1))
    seen = (LENGTH + 1) / 2
    transformer = DEPTH * block_macs(seen, WIDTH)
    whole = encoder_macs(LENGTH, WIDTH, DEPTH, SLOTS)
    of_decoder = decoder_macs(FUTURE, SLOTS, WIDTH, 2) / LENGTH
    read = 2 * WIDTH * SLOTS * WIDTH + 2 * WIDTH * SYMBOLS
    of_readout = SLOTS * WIDTH * 128 + 128 * SYMBOLS
    of_student = student_macs(student)
    generator = torch.Generator().manual_seed(1)
    return {
        "encoder: tower": (lambda: encoder._states(batch.x).sum(), transformer),
        "encoder: register pool": (lambda: encoder.pool(states).sum(), whole - transformer),
        "decoder: one future of 32": (lambda: decoder(after[:, :1], future.x).sum(), of_decoder),
        "teacher's readout at all t": (lambda: decoder.readout(after).sum(), read),
        "cell, all transitions": (lambda: student.step(before, batch.x).sum(),
                                  of_student - of_readout),
        "student's readout at all t": (lambda: student.readout(after).sum(), of_readout),
        "the whole joint step": (lambda: joint.losses(batch, generator).total,
                                 whole + of_decoder + read + of_student),
    }  # fmt: skip


def main() -> None:
    found = parts()
    backward = {name: (lambda f=forward: f().backward()) for name, (forward, _) in found.items()}
    seconds = interleaved(backward, 20.0)
    tokens = BATCH * LENGTH
    rows = [
        {
            "part": name, "macs": macs, "kept_bytes": kept_bytes(forward) / tokens,
            "microseconds": 1e6 * statistics.median(seconds[name]) / tokens,
        }
        for name, (forward, macs) in found.items()
    ]  # fmt: skip
    facts = {
        "machine": processor(), "threads": torch.get_num_threads(),
        "date": datetime.date.today().isoformat(), "rows": rows,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    for row in rows:
        print(f"{row['part']:<30}{row['macs'] / 1e6:8.3f} M  {row['kept_bytes'] / 1024:7.1f} KiB  "
              f"{row['microseconds']:7.1f} us")  # fmt: skip
    print(f"Figures: {RESULTS}")


if __name__ == "__main__":
    main()
