"""L6. Choose: which target memories suit some data, by short trials of their teachers.

A teacher that can't predict from its memories teaches a student nothing, and one that can shows it
within seconds. Each candidate's teacher is trained for some seconds, the two best for twice as
long, from the start. What was found is kept beside the runs, and read where it is there.
"""

import hashlib
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pastforward.analysis.evaluate import frozen, on_device
from pastforward.analysis.meters import Score, ScoreMeter
from pastforward.config import Budget, RunConfig
from pastforward.data.source import Source
from pastforward.errors import NonFiniteLoss, Stopped, UsageError
from pastforward.files import from_json, json_text, read_json, to_json, write_json
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.recipes.targets import TARGETS, candidates, facts_of, for_targets
from pastforward.runs.places import RUNS
from pastforward.teacher.teacher import Teacher
from pastforward.training.callbacks import StopRequest, stop_signals
from pastforward.training.distributed import world
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Interrupted, Trainer
from pastforward.watching import counting

SECONDS = 10.0
"""Of a first trial of one teacher."""
_FINALISTS, _LONGER = 2, 2.0
"""How many teachers are tried again, and for how many times as long."""
_SEQUENCES = 256
"""Held out, by which a trial is judged."""


@dataclass(frozen=True)
class Trial:
    """What a teacher came to."""

    targets: str
    seconds: float
    nats: float
    """Held out, per output that counts."""
    accuracy: float | None
    """Share of outputs right; None for numbers."""
    steps: int

    def __str__(self) -> str:
        right = "" if self.accuracy is None else f", {self.accuracy:.1%} right"
        return f"{self.targets:<9} {self.nats:.3f}{right} after {self.seconds:g} s"


@dataclass(frozen=True)
class Kept:
    """A file of trials."""

    data: str
    cell: str
    trials: list[Trial]


def choose(
    source: Source, config: RunConfig, console: Console, seconds: float | None = None
) -> str:
    """The name of the targets whose teacher does best on held-out data.

    `config` is any of the run's on that data, with its cell and seed. A trial takes `seconds`,
    `SECONDS` when None. Trials that were made before on the same data are read. Raises `UsageError`
    where no teacher can be tried or several processes would, and `Stopped` after Ctrl-C, with
    nothing kept.
    """
    seconds = seconds or SECONDS
    facts, cell = facts_of(source, config.data), config.student.cell
    configs = {
        name: replace(for_targets(name, facts, DEFAULT_STRATEGY, cell), seed=config.seed)
        for name in candidates(facts)
    }
    kept = _place(source, configs, seconds)
    if kept.exists():
        trials = _read(kept)
    elif world() > 1:
        raise UsageError(
            "Trials of targets are made by one process; name the targets, one of "
            f"{', '.join(configs)}, or begin the run without torchrun, which leaves them in {kept}."
        )
    else:
        trials = _tried(source, configs, seconds, console)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, to_json(Kept(config.data.source, cell, trials)))
    best = _ranked(trials)[0]
    _say(console, f"targets:   {best}, by the trials in {kept}")
    return best.targets


def _read(kept: Path) -> list[Trial]:
    try:
        trials = from_json(Kept, read_json(kept)).trials
        if not trials or any(trial.targets not in TARGETS for trial in trials):
            raise ValueError("it holds no trials of known targets")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The trials in {kept} can't be read ({error}); delete it to make them again."
        ) from error
    return trials


def _place(source: Source, configs: Mapping[str, RunConfig], seconds: float) -> Path:
    """Where trials of the same data, sizes and seconds are kept."""
    asked = json_text(to_json([source.identity, dict(configs), seconds]))
    return RUNS / "trials" / f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"


def _tried(
    source: Source, configs: Mapping[str, RunConfig], seconds: float, console: Console
) -> list[Trial]:
    trials: list[Trial] = []
    rounds = len(configs) + round(_LONGER) * _FINALISTS
    with stop_signals() as asked, counting("trials of teachers", rounds) as done:

        def add(name: str, longer: float) -> None:
            try:
                trial = _trial(name, configs[name], source, longer * seconds, asked)
            except (UsageError, NonFiniteLoss) as error:
                _say(console, f"{name:<9} can't be trained here: {error}")
            else:
                _say(console, str(trial))
                trials.append(trial)
            done(round(longer))

        for name in configs:
            add(name, 1.0)
        for trial in _ranked(trials)[:_FINALISTS]:
            add(trial.targets, _LONGER)
    if not trials:
        raise UsageError(f"No teacher of {', '.join(configs)} can be trained on '{source.name}'.")
    return trials


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _ranked(trials: list[Trial]) -> list[Trial]:
    """The best first; those that were given more time before the others."""
    return sorted(trials, key=lambda trial: (-trial.seconds, trial.nats))


def _trial(
    name: str, config: RunConfig, source: Source, seconds: float, asked: StopRequest
) -> Trial:
    """The stages of a teacher alone."""
    own = [stage for stage in config.stages if stage.method == "teacher"]
    whole = sum(stage.share for stage in own)
    own = tuple(replace(stage, share=stage.share / whole) for stage in own)
    config = replace(config, stages=own, budget=Budget(seconds=seconds))
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place) / name)
        trainer = Trainer(config, folder, source)
        folder.prepare(config, IfExists.REFUSE, source.identity)
        try:
            trainer.train((), asked)
        except Interrupted:
            message = "stopped during the trials of targets; nothing was kept"
            raise Stopped(message, 128 + (asked.signal or 15)) from None
    assert isinstance(trainer.teacher, Teacher)
    score = _score(trainer.teacher, source)
    if not math.isfinite(score.nats):
        raise NonFiniteLoss(f"its held-out loss is {score.nats}")
    return Trial(name, seconds, score.nats, score.accuracy, trainer.spent.step)


def _score(teacher: Teacher, source: Source) -> Score:
    meter = ScoreMeter(source.signature.outputs, source.signature.length, source.codec)
    with frozen(teacher):
        for batch in source.held_out("valid", 64, _SEQUENCES):
            x, y, mask = on_device(batch, teacher)
            meter.add(teacher.readout(teacher.targets(x)[:, 1:]), y, mask)
    return meter.read()
