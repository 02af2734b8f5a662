"""SIGKILL at random moments: what is left loads, and goes on to the end of an unbroken run."""

import json
import math
import random
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.children import Ended, Watch, call, killed, prepare
from benchmarks.faults.rows import ROWS, Tally, bar, write

TINY = "--fit.batch 4 --student.slots 2 --student.width 8 --teacher.width 16"
NEW = f"train copy:8 --steps 30 --fit.evaluations 5 {TINY} --name new"
BASE = f"train copy:8 --method smt --steps 3 --fit.evaluations 1 {TINY} --name base"
SHIPS = f"train copy:8 --method bptt --cell torch-gru --steps 3 --fit.evaluations 1 {TINY} --name"
SOME_LABELS = "label base --sequences 24 --out stored"


@dataclass(frozen=True)
class Case:
    """A command, what it needs, and where its results lie."""

    words: str
    place: str
    before: tuple[str, ...] = ()
    """Commands that are run first, unbroken."""
    again: str = "--resume"
    """What is added to go on with what is begun."""
    weight: float = 1.0
    """How often it is taken, beside the others."""


CASES = {
    "train": Case(NEW, "runs/new"),
    "train --overwrite": Case(f"{NEW} --overwrite", "runs/new", (f"{NEW} --seed 1",)),
    "train --labels": Case(
        "train --labels stored --steps 30 --fit.evaluations 5 --fit.batch 4 --name student",
        "runs/student",
        (BASE, SOME_LABELS),
    ),
    "compare": Case(
        f"compare copy:8 --methods bptt smt --steps 16 --fit.evaluations 3 {TINY} --name two",
        "runs/two",
    ),
    "compare --jobs 2": Case(
        f"compare copy:8 --methods bptt smt --steps 16 --fit.evaluations 3 {TINY} --name two "
        "--jobs 2",
        "runs/two",
        weight=0.25,  # its processes import everything anew
    ),
    "label": Case("label base --sequences 200 --out labels", "labels", (BASE,)),
    "label --overwrite": Case(
        "label base --sequences 200 --out labels --overwrite",
        "labels",
        (BASE, "label base --sequences 100 --seed 1 --out labels"),
    ),
    "export": Case(
        "export base --to torch --out ship", "ship", (f"{SHIPS} base",), again="--overwrite"
    ),
    "export --overwrite": Case(
        "export base --to torch --out ship --overwrite",
        "ship",
        (f"{SHIPS} base", f"{SHIPS} other --seed 1", "export other --to torch --out ship"),
        again="--overwrite",
    ),
}
"""By name; a new row is killed, resumed and compared like the others."""
AGAIN = 0.3
"""How often what goes on is killed, too."""


def kills(
    times: int = 100,
    seed: int = 0,
    cases: tuple[str, ...] = (),
    minutes: float = math.inf,
    rows: Path = ROWS,
) -> int:
    """Kill commands at random moments, `times` in all, and let each go on to its end.

    A checkpoint is written after every step, labels in small chunks, so that kills meet many files.
    Names of `cases` choose commands; all when none is named. After `minutes` no further one begins.
    """
    end = time.monotonic() + 60 * minutes
    prepare()
    _write_often()
    tally, draw, names = Tally(), random.Random(seed), cases or tuple(CASES)
    with tempfile.TemporaryDirectory() as place, bar(times, "kills") as done:
        trials: dict[str, Trial] = {}
        while tally.tried < times and time.monotonic() < end:
            (name,) = draw.choices(names, [CASES[name].weight for name in names])
            if name not in trials:
                trials[name] = Trial(CASES[name], Path(place).resolve() / "w")
            trials[name].run(name, draw, tally)
            done(tally.tried)
    chosen = ["--cases", *cases] if cases else []
    words = ["kills", "--times", str(times), "--seed", str(seed), *chosen]
    return write(rows, words, {"seed": seed} | tally.row("kills"))


def _write_often() -> None:
    from pastforward.runs import labelling
    from pastforward.training import trainer

    trainer.CHECKPOINT_EVERY, labelling.CHUNK_BYTES = 0.0, 4000


_BEGUN = "config.json", "store.json", "grid.json", "model.py"
"""Files of which one is there where something is begun."""


class Trial:
    """A command and the unbroken run that all others are compared with."""

    def __init__(self, case: Case, home: Path) -> None:
        self.case, self.home = case, home
        self.start, self.scratch = home.parent / f"start-{id(case)}", home.parent / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self._fresh()
        for words in case.before:
            self._must(self._call(words.split()))
        shutil.copytree(home, self.start)
        self.kept = contents(home / case.place)
        ended = self._call(case.words.split())
        self._must(ended)
        self.seconds, self.expected = ended.seconds, contents(home / case.place)

    def run(self, name: str, draw: random.Random, tally: Tally) -> None:
        """Kill it, once or several times, and count what came of it."""
        self._fresh()
        words, hits = self.case.words.split(), 0
        while not hits or draw.random() < AGAIN:
            ended = killed(words, self._watch, draw.uniform(0, self.seconds))
            if ended.code != -9:  # it was done, or refused to go on
                if hits or ended.code:
                    break
                self._fresh()
                continue
            hits += 1
            words = self._next()
        tally.add(name, "killed", self._fault(words), hits)

    def _fault(self, words: list[str]) -> str:
        """What is wrong with what was left, and with where it ends; '' where nothing is."""
        for one in (["list"], *self._loads()):
            if (ended := self._call(one)).code not in (0, 1) or "can't be read" in ended.out:
                return f"{' '.join(one)} after a kill ended with {ended.code}: {ended.err[-300:]}"
        if (ended := self._call(words)).code:
            return f"{' '.join(words)} ended with {ended.code}: {ended.err[-300:]}"
        found = contents(self.home / self.case.place)
        differing = [n for n in found | self.expected if found.get(n) != self.expected.get(n)]
        left = [str(p) for p in self.home.rglob(".*")]
        return f"other content in {differing}, left behind: {left}" if differing or left else ""

    def _next(self) -> list[str]:
        """The command as its user would give it again: to go on, or anew where nothing is begun."""
        words, place = self.case.words.split(), self.home / self.case.place
        begun = any((place / name).exists() for name in _BEGUN)
        if not begun or (self.kept and contents(place) == self.kept):
            return words
        return [*(word for word in words if word != "--overwrite"), self.case.again]

    def _loads(self) -> list[list[str]]:
        """Commands that read what was trained so far."""
        runs = [path.parent for path in (self.home / "runs").rglob("student.safetensors")]
        return [["generate", str(run), "--prompt", "1 2", "--tokens", "3"] for run in runs]

    @property
    def _watch(self) -> Watch:
        return Watch(self.home, self.scratch, limit=300.0)

    def _call(self, words: list[str]) -> Ended:
        return call(words, self._watch)

    def _must(self, ended: Ended) -> None:
        if ended.code:
            raise RuntimeError(f"an unbroken command ended with {ended.code}: {ended.err[-500:]}")

    def _fresh(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.start, self.home) if self.start.exists() else self.home.mkdir()


_KEPT = ".safetensors", ".json", ".jsonl", ".py"


def contents(folder: Path) -> dict[str, Any]:
    """All that a result is, by file: no seconds, dates or pages."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.exists() else ():
        of_checkpoint = path.suffix == ".safetensors" and "checkpoints" in path.parts
        usual = _tensors if of_checkpoint else Path.read_bytes
        reader = _READERS.get(path.name, usual)
        if path.is_file() and path.suffix in _KEPT:
            found[str(path.relative_to(folder))] = reader(path)
    return found


def _tensors(path: Path) -> dict[str, bytes]:
    """Of a checkpoint, whose header has another order in each process that wrote it."""
    from safetensors.torch import load_file

    return {name: t.numpy().tobytes() for name, t in load_file(path).items()}


def _metrics(path: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, path.read_text().splitlines())
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def _nothing(path: Path) -> None:
    """It holds seconds; what it is made of is compared."""


_READERS: dict[str, Any] = {
    "metrics.jsonl": _metrics,
    "evaluation.json": lambda path: json.loads(path.read_text())["evaluation"],
    "last.json": _nothing,
    "results.json": _nothing,
    "grid.json": _nothing,
    "rates.json": _nothing,
}
