"""The cost model beside the clock: operations, bytes kept and time of each part of a joint step.

    python -m benchmarks.studies.cost_model     writes benchmarks/results/cost-model.json

T = 256, K = 4, D = 64, 16 sequences, teacher of width 64 and depth 4, MLP cell: the sizes of
`python -m benchmarks.speed step`. Bytes are those of all tensors that autograd keeps for the
backward pass. Times are forward and backward, eager, medians of interleaved rounds.
"""

import json
import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.paths import RESULTS
from benchmarks.speed.cost import block_macs, decoder_macs, encoder_macs, student_macs
from benchmarks.speed.measuring import interleaved
from benchmarks.speed.networks import DEPTH, SYMBOLS, WIDTH, networks, symbols
from pastforward.methods import SMTConfig
from pastforward.methods.smt import JointSMT
from pastforward.provenance import provenance
from pastforward.student import Student
from pastforward.teacher.decoder import futures

LENGTH, BATCH, SLOTS, FUTURE = 256, 16, 4, 32
PATH = RESULTS / "cost-model.json"
COMMAND = "python -m benchmarks.studies.cost_model"


def kept_bytes(forward: Callable[[], Tensor]) -> int:
    """Bytes of the storages that the backward pass of `forward` needs, each counted once."""
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


def macs(student: Student) -> dict[str, float]:
    """Multiplications of each part per step of a sequence, forward."""
    seen, whole = (LENGTH + 1) / 2, encoder_macs(LENGTH, WIDTH, DEPTH, SLOTS)
    transformer = DEPTH * block_macs(seen, WIDTH)
    readout = SLOTS * WIDTH * 128 + 128 * SYMBOLS
    found = {
        "encoder: Transformer": transformer,
        "encoder: register head": whole - transformer,
        "decoder: one future of 32": decoder_macs(FUTURE, SLOTS, WIDTH, 2) / LENGTH,
        "teacher's readout at all t": 2 * WIDTH * SLOTS * WIDTH + 2 * WIDTH * SYMBOLS,
        "cell, all transitions": student_macs(student) - readout,
        "student's readout at all t": readout,
    }
    return found | {"the whole joint step": sum(found.values())}


def passes() -> tuple[Student, dict[str, Callable[[], Tensor]]]:
    """The student, and the forward pass of each part."""
    student, teacher = networks(LENGTH, "mlp", SLOTS)
    batch = symbols(BATCH, LENGTH)
    encoder, decoder = teacher.encoder, teacher.decoder
    states, targets = encoder._states(batch.x).detach(), encoder.targets(batch.x).detach()
    before, after = targets[:, :-1].clone(), targets[:, 1:].clone()
    times = torch.randint(1, LENGTH, (BATCH, 1), generator=torch.Generator().manual_seed(0))
    future = futures(batch, times, FUTURE)
    joint = JointSMT(student, teacher, SMTConfig(future=FUTURE, anchors=1))
    generator = torch.Generator().manual_seed(1)
    return student, {
        "encoder: Transformer": lambda: encoder._states(batch.x).sum(),
        "encoder: register head": lambda: encoder.head(states).sum(),
        "decoder: one future of 32": lambda: decoder(after[:, :1], future.x).sum(),
        "teacher's readout at all t": lambda: decoder.readout(after).sum(),
        "cell, all transitions": lambda: student.step(before, batch.x).sum(),
        "student's readout at all t": lambda: student.readout(after).sum(),
        "the whole joint step": lambda: joint.losses(batch, generator).total,
    }


def main() -> None:
    """Measure, write the rows and print them."""
    student, forward = passes()
    both = {name: lambda part=part: part().backward() for name, part in forward.items()}
    seconds, counted = interleaved(both, 20.0), macs(student)
    tokens = BATCH * LENGTH
    rows = [
        {
            "part": name, "macs": counted[name], "kept_bytes": kept_bytes(part) / tokens,
            "microseconds": 1e6 * statistics.median(seconds[name]) / tokens, "command": COMMAND,
        } | provenance()
        for name, part in forward.items()
    ]  # fmt: skip
    PATH.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    for row in rows:
        print(f"{row['part']:<30}{row['macs'] / 1e6:8.3f} M  {row['kept_bytes'] / 1024:7.1f} KiB  "
              f"{row['microseconds']:7.1f} us")  # fmt: skip
    print(f"Figures: {PATH}")


if __name__ == "__main__":
    main()
