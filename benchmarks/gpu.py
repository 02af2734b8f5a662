"""What one GPU does: SMT beside BPTT by step, memory and equal seconds; one command, one JSON file.

    python benchmarks/gpu.py --json benchmarks/results/gpu.json     within 9 minutes
    python benchmarks/gpu.py --smoke     all parts on tiny sizes, on any device

Steps are whole optimiser steps, of a student with a memory of 2 x 64 numbers on 64 symbols. BPTT
has its cell compiled, and a second opponent in cuDNN's GRU of 128. What does not fit the memory or
the time that is left is told in a row of its own. Text and pixels are TinyStories and MNIST below
PASTFORWARD_DATA; where that is not set, what is embedded.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from benchmarks.speed.networks import SYMBOLS, WIDTH, networks, optimiser_step, symbols
from benchmarks.speed.rivals import FusedBPTT
from pastforward.config import Budget
from pastforward.data import DataConfig
from pastforward.data.opening import open_data
from pastforward.inference.sampling import PLAIN, noise
from pastforward.inference.stream import Eager
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.methods.base import Method
from pastforward.methods.bptt import bptt
from pastforward.methods.dmt import UnrollDMT, WindowDMT
from pastforward.methods.smt import FrozenSMT, JointSMT
from pastforward.provenance import provenance
from pastforward.recipes.resolve import resolve
from pastforward.training import FitConfig
from pastforward.training.fit import FitContext, fit_stages
from pastforward.training.networks import Selection
from pastforward.training.optimiser import Optimiser
from pastforward.types import AnyBatch, BatchWithTargets, Tokens

Row = dict[str, Any]
LOSSES, DMT = SMTConfig(future=32, anchors=1), DMTConfig(window=16)
SLOTS = 2


@dataclass(frozen=True)
class Sizes:
    """What is measured, and for how long in all."""

    shapes: Sequence[tuple[int, int]]
    """(T, B) of steps."""
    compiled: Sequence[tuple[int, int]]
    """Those at which SMT's step is compiled, too."""
    seconds: float
    """Training of a side at equal seconds."""
    each: float
    """Seconds of a timed step, about."""
    steps: int
    """Optimiser steps by which number formats are compared."""
    whole: float
    """Seconds of all; what would begin later is left out."""


GPU = Sizes(
    ((256, 1), (256, 16), (256, 256), (1024, 1), (1024, 16), (1024, 256), (4096, 1), (4096, 16),
     (16384, 1), (16384, 16)), ((1024, 16),), 60.0, 0.4, 200, 520.0,
)  # fmt: skip
SMOKE = Sizes(((16, 2), (32, 1)), (), 1.0, 0.05, 3, 60.0)


class Bench:
    """Rows as they come, and the time that is left."""

    def __init__(self, sizes: Sizes, device: torch.device) -> None:
        self.sizes, self.device, self.begin = sizes, device, time.monotonic()
        self.rows: list[Row] = []

    @property
    def left(self) -> float:
        """Seconds until the whole must be over."""
        return self.sizes.whole - (time.monotonic() - self.begin)

    def add(self, part: str, case: str, unit: str, needs: float, measure: Callable[[], Any]) -> Any:
        """A row of `measure()`, a number or several by name; None where it can't be had."""
        row: Row = {"part": part, "case": case, "unit": unit, "value": None}
        try:
            if self.left < needs:
                row["left_out"] = f"{self.left:.0f} s were left"
            else:
                row["value"] = measure()
        except (torch.OutOfMemoryError, RuntimeError) as error:
            row["left_out"] = " ".join(str(error).split())[:120]
        self.rows.append(row)
        shown = row.get("left_out", row["value"])
        print(f"{part:<10}{case:<44}{shown} {'' if row['value'] is None else unit}", flush=True)
        return row["value"]

    def clocked(self, step: Callable[[], object]) -> float:
        """Median seconds of a step, after one that does not count."""
        times: list[float] = []
        self._once(step)
        end = time.perf_counter() + self.sizes.each
        while len(times) < 3 or time.perf_counter() < end:
            times.append(self._once(step))
            if times[-1] > 2.0:
                break
        return statistics.median(times)

    def peak(self, step: Callable[[], object]) -> float:
        """MiB that a step takes at most, on CUDA."""
        step()
        torch.cuda.reset_peak_memory_stats()
        self._once(step)
        return torch.cuda.max_memory_allocated() / 2**20

    def _once(self, step: Callable[[], object]) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begin


def methods(bench: Bench, length: int, count: int) -> dict[str, Callable[[], object]]:
    """Steps of all sides on B = `count` sequences of T = `length`, by name."""
    device = bench.device
    student, teacher = networks(length, "gru", SLOTS, "linear", depth=1, decoder_depth=1)
    student.to(device), teacher.to(device)
    batch = symbols(count, length)
    batch = batch._make(part.to(device) for part in batch)
    with torch.no_grad():
        stored = BatchWithTargets(*batch, teacher.targets(batch.x))
    through_time = bptt(student)
    if device.type == "cuda":
        through_time.compile(lambda part: torch.compile(part, dynamic=False))
    fused = FusedBPTT("gru", SYMBOLS, 64, SLOTS * WIDTH).to(device)
    optimiser = Optimiser([fused], FitConfig())

    def fused_step() -> None:
        optimiser.zero_grad()
        fused(batch).backward()
        optimiser.step(1e-3)

    return {
        "SMT, joint": _step(JointSMT(student, teacher, LOSSES), batch),
        "SMT, stored labels": _step(FrozenSMT(student, teacher, LOSSES), stored),
        "DMT, windows of 16": _step(WindowDMT(student, teacher, DMT), batch),
        "fused GRU, BPTT": fused_step,
        "BPTT": _step(through_time, batch),
        "DMT, whole rollout": _step(UnrollDMT(student, teacher, DMT), batch),
        "labels": lambda: _targets(teacher, batch),
    }


def _step(method: Method, batch: AnyBatch) -> Callable[[], object]:
    step, device = optimiser_step(method, batch), batch.x.device
    generator = torch.Generator(device)
    return step if device.type == "cpu" else _with(method, batch, generator)


def _with(method: Method, batch: AnyBatch, generator: torch.Generator) -> Callable[[], object]:
    optimiser = Optimiser(method.modules(), FitConfig())

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast(batch.x.device.type, torch.bfloat16):
            method.accumulate_gradients(batch, generator)
        optimiser.step(1e-3)

    return step


@torch.no_grad()
def _targets(teacher: Any, batch: AnyBatch) -> None:
    teacher.targets(batch.x)


SERIAL = ("BPTT", "DMT, whole rollout", "fused GRU, BPTT")
"""Steps whose time grows with T whatever the batch."""
_PER_STEP = 6e-4
"""Seconds of a serial step of a compiled cell, forward and backward, as a first guess."""


def steps(bench: Bench) -> None:
    """Seconds and memory of steps, and what follows from them."""
    for length, count in bench.sizes.shapes:
        sides = methods(bench, length, count)
        found: dict[str, float] = {}
        for name, step in sides.items():
            guess = 3 * length * _PER_STEP if name in SERIAL[:2] else 1.0
            needs = guess + _later(bench)
            case = f"{name}, T = {length}, B = {count}"
            taken = bench.add("step", case, "s", needs, lambda step=step: bench.clocked(step))
            if taken is None:
                continue
            found[name] = taken
            if bench.device.type == "cuda" and not (name in SERIAL and taken > 5):
                bench.add("memory", case, "MiB", needs, lambda step=step: bench.peak(step))
        _ratios(bench, found, length, count)
    for length, count in bench.sizes.compiled if bench.device.type == "cuda" else ():
        student, teacher = networks(length, "gru", SLOTS, "linear", depth=1, decoder_depth=1)
        method = JointSMT(student.to(bench.device), teacher.to(bench.device), LOSSES)
        method.compile(lambda part: torch.compile(part, dynamic=False))
        batch = symbols(count, length)
        step = _step(method, batch._make(part.to(bench.device) for part in batch))
        case = f"SMT, joint, compiled, T = {length}, B = {count}"
        bench.add("step", case, "s", 60.0 + _later(bench), partial(bench.clocked, step))


def _later(bench: Bench) -> float:
    """Seconds kept for what follows the steps."""
    return 6.5 * bench.sizes.seconds


def _ratios(bench: Bench, found: dict[str, float], length: int, count: int) -> None:
    where, ours = f"T = {length}, B = {count}", found.get("SMT, joint")
    for rival in ("BPTT", "fused GRU, BPTT"):
        if ours and rival in found:
            ratio = found[rival] / ours
            bench.add("ratio", f"{rival} over SMT, {where}", "x", 0.0, lambda r=ratio: r)
    if "labels" in found:
        rate = length * count / found["labels"]
        bench.add("labels", where, "target memories/s", 0.0, lambda: rate)


def stream(bench: Bench) -> None:
    """A streamed token, eager: on any device the same code."""
    for count in (1, 64):
        student, _ = networks(64, "gru", SLOTS, "linear", depth=1)
        student.to(bench.device).eval()
        m, engine = student.start(count).clone(), Eager(student)
        u = noise(Tokens(SYMBOLS), (count, 8), torch.Generator(bench.device), m)

        def step(engine: Eager = engine, m: torch.Tensor = m, u: torch.Tensor = u) -> None:
            engine.write(m, u, PLAIN)

        taken = lambda step=step: 1e6 * bench.clocked(step) / 8  # noqa: E731
        bench.add("stream", f"B = {count}", "us/token", 5.0, taken)


def data(smoke: bool) -> Iterator[tuple[str, DataConfig]]:
    """Text and pixels by name; what is embedded where no folder of real data is known."""
    root = os.environ.get("PASTFORWARD_DATA")
    if root is None or smoke:
        yield "text", DataConfig("pydoc")
        yield "pixels", DataConfig("digits")
    else:
        yield "text", DataConfig(str(Path(root) / "tinystories"), length=512)
        yield "pixels", DataConfig(str(Path(root) / "mnist"))


def equal_seconds(bench: Bench, smoke: bool) -> None:
    """Held-out loss of each method after the same seconds of training on the same data."""
    for name, config in data(smoke):
        source = open_data(config)
        for method in ("smt+dmt", "bptt", "bptt-curriculum"):

            def trained(config: DataConfig = config, method: str = method, source=source) -> float:
                asked = resolve(config.source, method, "gru", config)
                asked = replace(asked, budget=Budget(seconds=bench.sizes.seconds))
                if smoke:
                    asked = replace(asked, fit=replace(asked.fit, batch=2, evaluations=1))
                network = fit_stages(asked, source, FitContext(bench.device))
                score = Selection().evaluate(network, source)["valid"]
                assert score is not None
                return score

            case = f"{name}, {method}, {bench.sizes.seconds:g} s"
            bench.add("loss", case, "nats", bench.sizes.seconds, trained)


def formats(bench: Bench) -> None:
    """The loss of SMT after the same steps in bfloat16 and in float32."""
    source = open_data(DataConfig("copy:32"))
    config = resolve("copy:32", "smt", "gru")
    for precision in ("float32", "bfloat16"):

        def trained(precision: str = precision) -> float:
            chosen = replace(config.fit, precision=precision, compile="off")
            asked = replace(config, fit=chosen, budget=Budget(steps=bench.sizes.steps))
            network = fit_stages(asked, source, FitContext(bench.device))
            score = Selection().evaluate(network, source)["valid"]
            assert score is not None
            return score

        bench.add("format", f"SMT, {bench.sizes.steps} steps, {precision}", "nats", 10.0, trained)


def measured(bench: Bench, smoke: bool) -> None:
    """All parts, the quick ones first."""
    stream(bench)
    formats(bench)
    steps(bench)
    equal_seconds(bench, smoke)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a line for each row, and write the file."""
    parser = argparse.ArgumentParser(description="What one GPU does, in 9 minutes.")
    parser.add_argument("--json", type=Path, help="also write all rows to this file")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes on any device")
    options = parser.parse_args(argv)
    device = torch.accelerator.current_accelerator(True) or torch.device("cpu")
    if device.type == "cpu" and not options.smoke:
        print("No GPU was found; give --smoke to try all parts on the CPU.", file=sys.stderr)
        return 2
    bench = Bench(SMOKE if options.smoke else GPU, device)
    facts = {"command": "python benchmarks/gpu.py", "smoke": options.smoke} | provenance()
    facts["device"] = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    measured(bench, options.smoke)
    if options.json is not None:
        rows = [row | facts for row in bench.rows]
        options.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    missing = sum(row["value"] is None for row in bench.rows)
    where = options.json or "keep them: --json FILE"
    print(f"{len(bench.rows)} rows, {missing} left out, {time.monotonic() - bench.begin:.0f} s; "
          f"figures: {where}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
