"""Damaged and hostile files and random options: one line and an exit code, nothing else."""

import math
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies as st

from benchmarks.faults.children import READ, Watch, call, prepare
from benchmarks.faults.damage import NAMED, TOKENS, Draw
from benchmarks.faults.judging import fault_of, state
from benchmarks.faults.kinds import KINDS, TINY, Kind, lay_out, write_whole
from benchmarks.faults.rows import ROWS, Tally, bar, write

HOSTILE, COMMAND = 0.05, 0.2
"""How often the place of a file holds something else, and how often a command reads it."""
QUICK = f"--method bptt --steps 1 {TINY}"
COMMANDS = {
    "train": f"train copy:8 {QUICK}",
    "train text": f"train tale.txt --data.length 8 {QUICK}",
    "train smt": f"train copy:8 --teacher.width 8 --steps 1 {TINY}",
    "train table": f"train waves.csv --data.task classify --data.target speed {QUICK}",
    "train images": f"train images.npy {QUICK}",
    "train --labels": f"train --labels labels --steps 1 {TINY}",
    "compare": f"compare copy:8 --methods bptt --steps 1 {TINY}",
    "eval": "eval one --sequences 4",
    "doctor": "doctor one --sequences 4",
    "generate": "generate one --tokens 3",
    "report": "report one",
    "label": "label one --sequences 4",
    "list": "list",
}
"""What random options are added to."""
ALL = Kind(
    (),
    (),
    (),
    ("tale.txt", "waves.csv", "images.npy", "labels", "runs/one", "runs/own", "runs/two"),
)
_PLACES = ("--out", "--name", "--source", "--labels")
_WORDS = st.one_of(
    st.sampled_from([token for token in TOKENS if "\x00" not in token and token != NAMED]),
    st.sampled_from(
        ["1", "2", "3", "8", "0.5", "1e-8", "1e8", "-3", "999999999", "True", "False", "yes", "no",
         "gru", "lstm", "mlp", "transformer", "torch-gru", "bptt", "tbptt", "rtrl", "smt",
         "smt+dmt",
         "distill", "s4d", "mingru", "delta", "window", "registers", "stack", "test", "valid",
         "one",
         "copy:8", "tale.txt", "classify", "regress", "cosine", "auto", "bf16", "bfloat16"]
    ),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5),
)  # fmt: skip


def fuzz(
    files: int = 10_000,
    options: int = 2_000,
    seed: int = 0,
    kinds: tuple[str, ...] = (),
    minutes: float = math.inf,
    keep: Path | None = None,
    rows: Path = ROWS,
) -> int:
    """Damaged files and random options through the command line, each in a process of its own.

    Names of `kinds` choose files; all when none is named. After `minutes` for
    files, and as many for options, no further one is tried. What failed is copied to `keep`.
    """
    prepare()
    code, chosen = 0, ["--kinds", *kinds] if kinds else []
    chosen += ["--minutes", f"{minutes:g}"] if minutes < math.inf else []
    with tempfile.TemporaryDirectory() as place:
        home = _made(Path(place).resolve())
        for what, count, trial in (("files", files, _file(kinds)), ("options", options, _options)):
            tally = Tally()
            if count:
                with bar(count, what) as done:
                    _tried(
                        count,
                        seed,
                        _until(minutes, partial(trial, home=home, tally=tally, keep=keep)),
                        tally,
                        done,
                    )
                words = ["fuzz", f"--{what}", str(count), "--seed", str(seed), *chosen]
                code |= write(rows, words, {"seed": seed} | tally.row(f"fuzz {what}"))
    return code


class _TimeIsOver(KeyboardInterrupt):
    """What hypothesis lets pass; it would repeat an error of a trial."""


def _until(minutes: float, trial: Callable[..., None]) -> Callable[[Draw], None]:
    end = time.monotonic() + 60 * minutes

    def once(draw: Draw) -> None:
        if time.monotonic() > end:
            raise _TimeIsOver
        trial(draw)

    return once


def _made(place: Path) -> Path:
    """The folder that commands run in; whole files lie beside it."""
    home, scratch = place / "home", place / "scratch"
    for folder in (home, scratch):
        folder.mkdir()
    write_whole(home, Watch(home, scratch, limit=200.0))
    shutil.copytree(home, place / "whole")
    return home


def _tried(
    count: int, seed: int, trial: Callable[[Draw], None], tally: Tally, done: Callable[[int], None]
) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(st.data())
    def run(data: Any) -> None:
        if tally.tried < count:
            trial(data.draw)
            done(tally.tried)

    with suppress(_TimeIsOver):
        run()


def _file(kinds: tuple[str, ...]) -> Callable[..., None]:
    names = kinds or tuple(KINDS)

    def trial(draw: Draw, home: Path, tally: Tally, keep: Path | None) -> None:
        name = draw(st.sampled_from(names))
        kind = KINDS[name]
        lay_out(kind, home.parent / "whole", home)
        path = home / draw(st.sampled_from(kind.files))
        words = draw(st.sampled_from(kind.commands)).split()
        if draw(st.floats(0, 1)) > COMMAND:
            words = [READ, name]
        how = _replace(path, draw) if draw(st.floats(0, 1)) < HOSTILE else _damage(path, kind, draw)
        _judge(name, f"{path.name} ({how})", words, home, tally, keep)

    return trial


def _damage(path: Path, kind: Kind, draw: Draw) -> str:
    """Damage it once, or twice."""
    content, names = path.read_bytes(), []
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        damage = draw(st.sampled_from(kind.damages))
        names.append(damage.__name__)
        try:
            content = damage(content, draw)
        except Exception:  # of any library: it is no file of its format any more
            break
    path.write_bytes(content)
    return " ".join(names)


def _replace(path: Path, draw: Draw) -> str:
    """Nothing, a folder, a link to itself or a pipe lies there."""
    path.unlink()
    how = draw(st.sampled_from(["nothing", "folder", "loop", "pipe"]))
    if how == "folder":
        path.mkdir()
    elif how == "loop":
        path.symlink_to(path)
    elif how == "pipe":
        os.mkfifo(path)
    return how


def _options(draw: Draw, home: Path, tally: Tally, keep: Path | None) -> None:
    name = draw(st.sampled_from(sorted(COMMANDS)))
    lay_out(ALL, home.parent / "whole", home)
    words, known = COMMANDS[name].split(), _known(COMMANDS[name], home)
    for _ in range(draw(st.integers(1, 4))):
        option = draw(st.sampled_from(known)) if draw(st.floats(0, 1)) < 0.95 else draw(_WORDS)
        values = draw(st.lists(_WORDS, max_size=2))
        if option in _PLACES:
            values = [value.lstrip("./~") for value in values]
        words += [option, *values] if option != "--allow" else []
    if draw(st.floats(0, 1)) < 0.1:
        words[1:2] = [draw(_WORDS)]
    _judge(name, "options", words, home, tally, keep)


_helps: dict[str, list[str]] = {}


def _known(words: str, home: Path) -> list[str]:
    """All options that the help of a command names."""
    if words not in _helps:
        said = call([*words.split(), "--help"], _watch(home)).out
        _helps[words] = sorted({*re.findall(r"--[a-z][\w.-]*\w", said)})
    return _helps[words]


def _watch(home: Path) -> Watch:
    return Watch(home, home.parent / "scratch")


def _judge(
    kind: str, what: str, words: list[str], home: Path, tally: Tally, keep: Path | None
) -> None:
    before = state(home)
    ended = call(words, _watch(home))
    fault = fault_of(ended, home, before)
    tally.add(
        kind, "stopped" if ended.stopped else ended.code, fault and f"{what} {words}: {fault}"
    )
    if fault and keep is not None:
        to = keep / str(len(tally.faults))
        shutil.copytree(home, to, symlinks=True, ignore=_pipes, dirs_exist_ok=True)
        logs = [log.read_text() for log in (home.parent / "scratch").glob("pastforward-*.log")]
        (to / "fault.txt").write_text("\n".join([str(words), fault, *logs]))
    for log in (home.parent / "scratch").glob("pastforward-*.log"):
        log.unlink()


def _pipes(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_fifo()]
