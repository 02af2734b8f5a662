"""Text of 2 GB: seconds to the first step and peak memory, the first time and with a cache.

The text is made of words drawn as words are in English, by their rank, in lines and documents, of
which 100 MB are written again and again. Each run is a process of its own that takes 30 steps.
Seconds are of CPU time, of all threads, so that other work on the machine does not count; those of
the clock are told beside them. The rival is the first run.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.speed.measuring import Row, run_module

SIZE = int(float(os.environ.get("LARGE_TEXT_GB", "2")) * 1e9)
FIRST, AGAIN, MEMORY, STEPS = 60.0, 5.0, 1000.0, 30
END = "<|endoftext|>"
CASES = {
    "bytes": ("--data.unit", "bytes"),
    "chars": ("--data.unit", "chars"),
    "bpe": ("--data.unit", "bpe:4096"),
    "bpe-documents": ("--data.unit", "bpe:4096", "--data.document-end", END),
}


def run(case: str = "") -> Iterator[Row]:
    """`train`, small networks, BPTT."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_text(folder / "large.txt", SIZE)
        for one in [case] if case else CASES:
            yield from _rows(one, folder)


def _rows(case: str, folder: Path) -> Iterator[Row]:
    first, again = _run(case, folder), _run(case, folder)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    size = f"{SIZE / 1e9:g} GB"
    for what, found, target in (("first time", first, FIRST), ("later", again, AGAIN)):
        yield Row(
            "large-text", f"{case}, {size}, CPU seconds to the first step, {what}", found["cpu"],
            "<=", target, (found["cpu"], found["cpu"]), found["cpu"], first["cpu"], "s",
            f"imports included; {found['seconds']:.1f} s on the clock without them",
        )  # fmt: skip
    peak = max(first["peak"], again["peak"])
    yield Row(
        "large-text", f"{case}, {size}, peak memory over {STEPS} steps", peak, "<=", MEMORY,
        (again["peak"], first["peak"]), first["peak"], again["peak"], "MiB",
        f"{first['anonymous']:.0f} MiB of it the process's own at the end, the rest pages of files",
    )  # fmt: skip


def _run(case: str, folder: Path) -> dict[str, float]:
    words = ("train", "large.txt", *CASES[case], "--method", "bptt", "--overwrite", "--name", "r",
             "--steps", str(2 * STEPS), "--fit.batch", "8", "--fit.evaluations", "1",
             "--fit.compile", "off")  # fmt: skip
    said, _ = run_module(
        "benchmarks.speed.first_steps", str(STEPS), *words, folder=folder,
        PASTFORWARD_CACHE=str(folder / "cache"),
    )  # fmt: skip
    return json.loads(said.splitlines()[-1])


def write_text(path: Path, size: int) -> None:
    """About `size` bytes: 50,000 made-up words, the n-th drawn as 1 / n, in documents of a page."""
    block = "".join(_pages(min(size, _BLOCK))).encode()
    with path.open("wb") as file:
        for _ in range(-(-size // len(block))):
            file.write(block)


_BLOCK = 10**8


def _pages(size: int) -> Iterator[str]:
    random = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = ["".join(random.choice(letters, n)) for n in random.integers(1, 11, 50_000)]
    share = 1.0 / np.arange(1, 50_001)
    ends = (share / share.sum()).cumsum()
    written = 0
    while written < size:
        drawn = np.searchsorted(ends, random.random(200_000)).tolist()
        lines = [" ".join(words[i] for i in drawn[a : a + 12]) for a in range(0, 200_000, 12)]
        pages = ["\n".join(lines[a : a + 20]) + "\n" for a in range(0, len(lines), 20)]
        text = f"{END}\n".join(pages) + END + "\n"
        written += len(text)
        yield text
