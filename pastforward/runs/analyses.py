"""L6. The analyses of `analyse`: each a function `(Subject, sequences) -> Analysis`."""

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from matplotlib.figure import Figure

from pastforward.analysis.credit import Credit, bptt_credit, last_output, scaled, smt_credit
from pastforward.analysis.gap import loss_gap
from pastforward.analysis.lengths import AtLength, at_length, loss_by_length
from pastforward.analysis.metrics import cost
from pastforward.analysis.probe import Memories, Probe, linear_probe, remember
from pastforward.data.codec import LabelCodec
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.files import finite
from pastforward.report.analysis_page import (
    credit_figure,
    future_figure,
    gap_figure,
    lengths_figure,
    memory_map,
    probes_figure,
)
from pastforward.runs.networks import Subject
from pastforward.student import Student, build_student
from pastforward.teacher.teacher import Teacher, build_teacher
from pastforward.types import Batch, Tokens

SCALES = (0.5, 1.0, 2.0)
"""Factors on the weights from memory to memory at which credit is measured at initialisation."""
_FACTORS = (1, 2, 4, 8, 16)
_MOST_CLASSES = 128
_MOST_AHEAD = 8
_SPLITS = ("valid", "test")
"""Where a probe is fitted, and where it is tested."""
_AT_ONCE, _LOOKED_AT = 64, 1024
"""Labelled sequences that are read to find many of one length."""
_DECODED, _WHOLE = "SMT, losses of outputs", "SMT, all losses"


@dataclass(frozen=True)
class Analysis:
    """An answer: figures by the name of their file, numbers as JSON, and sentences about them."""

    figures: dict[str, Figure]
    facts: Any
    lines: list[str]


def ask_gap(run: Subject, sequences: int) -> Analysis:
    """Where the student loses against its teacher; `UsageError` where it has none."""
    if run.teacher is None:
        raise UsageError(
            f"{run.folder.path} has no teacher, so there is no gap to divide; ask it of a run "
            "trained by smt, smt+dmt or two-stage."
        )
    # T / 2 steps from each of T targets: time grows with T^2.
    few = max(2, min(sequences, 2**24 // run.source.signature.length**2))
    gap = loss_gap(run.student, run.teacher, run.source, "test", few)
    alone, teacher = gap.alone.nats, gap.teacher.nats
    lines = [f"student alone {alone:.4f}, teacher {teacher:.4f} {gap.unit} per output"]
    for cause, nats in gap.parts.items():
        share = "" if gap.shares is None else f"{gap.shares[cause]:8.1%}"
        lines.append(f"{cause:<12}{nats:+.4f}{share}")
    worst = max(gap.after, key=lambda k: gap.after[k].nats)
    lines.append(
        f"worst after k = {worst} own steps from a target: {gap.after[worst].nats:.4f} {gap.unit}"
    )
    lines += _targets_moved(run)
    return Analysis({"gap": gap_figure({"student": gap})}, finite(gap.to_json()), lines)


def ask_credit(run: Subject, sequences: int) -> Analysis:
    """Credit of the last output by BPTT and by SMT, at the start of the run and at its end."""
    length = run.source.signature.length
    # Memory for decoding from every target grows with B * T^2.
    count = max(2, min(32, sequences, 2**16 // (min(length, 64) * length)))
    batch = last_output(_ending_together(run.source, count))
    panels = _start_credit(run, batch)
    panels["BPTT"]["trained"] = bptt_credit(run.student, batch)
    if run.teacher is not None:
        _add_smt(panels, "trained", smt_credit(run.student, run.teacher, run.config.smt, batch))
    facts = {
        loss: {name: asdict(credit) | {"per_step": credit.per_step} for name, credit in of.items()}
        for loss, of in panels.items()
    }
    lines = [
        f"{loss:<23}{name:<22}{_per_step(credit)}"
        for loss, of in panels.items()
        for name, credit in of.items()
    ]
    return Analysis({"credit": credit_figure(panels)}, finite(facts), lines)


def ask_lengths(run: Subject, sequences: int) -> Analysis:
    """Loss at T, 2T, ..., as far as the data goes; `UsageError` where it has only one length."""
    trained, found, end = run.student.signature.length, [], None
    data, codec = run.config.data, run.source.codec
    try:
        for row in loss_by_length(
            run.student, run.teacher, lambda length: at_length(data, length, codec),
            [factor * trained for factor in _FACTORS], "test", sequences,
        ):  # fmt: skip
            found.append(row)
    except UsageError as error:
        if len(found) < 2:
            raise
        end = str(error)
    lines = [_length_line(row) for row in found] + ([f"no further: {end}"] if end else [])
    figures = {"lengths": lengths_figure(found, trained)}
    return Analysis(figures, finite([asdict(row) for row in found]), lines)


def ask_geometry(run: Subject, sequences: int) -> Analysis:
    """Maps of memories and, where the data knows true states, a linear probe of each."""
    fit, test = (remember(_networks(run), run.source, split, sequences) for split in _SPLITS)
    states = [n for n, of in fit.states.items() if int(of.max()) < _MOST_CLASSES]
    if not states:
        lines = ["the data has no true states to probe; memories are coloured by t"]
        return Analysis({"geometry": memory_map(test, None)}, {}, lines)
    figures, facts, lines = {}, {}, []
    for state in states:
        probes = {
            whose: linear_probe(fit.of_state(whose, state), test.of_state(whose, state))
            for whose in fit.by
        }
        figures[f"geometry-{state}"] = memory_map(test, state)
        title = f"True state '{state}', predicted from a memory by a linear probe"
        figures[f"probe-{state}"] = probes_figure(title, probes)
        facts[state] = {whose: asdict(probe) for whose, probe in probes.items()}
        lines.append(f"{state}: {_probe_line(probes)}")
    return Analysis(figures, finite(facts), lines)


def ask_future(run: Subject, sequences: int) -> Analysis:
    """A linear probe of the outputs to come; `UsageError` for outputs that are no symbols."""
    if not isinstance(run.student.signature.outputs, Tokens):
        raise UsageError(
            f"The outputs of {run.folder.path} are real vectors, and a probe predicts symbols; ask "
            "it of a run on symbols."
        )
    fit, test = (remember(_networks(run), run.source, split, sequences) for split in _SPLITS)
    longest = min(_MOST_AHEAD, run.source.signature.length)
    aheads = [j for j in range(1, longest + 1) if _has_outputs(fit, j) and _has_outputs(test, j)]
    rows = {
        whose: [linear_probe(fit.of_future(whose, j), test.of_future(whose, j)) for j in aheads]
        for whose in fit.by
    }
    probes = [{whose: row[place] for whose, row in rows.items()} for place in range(len(aheads))]
    lines = [f"j = {j}: {_probe_line(row)}" for j, row in zip(aheads, probes, strict=True)]
    facts = {whose: [asdict(probe) for probe in row] for whose, row in rows.items()}
    return Analysis({"future": future_figure(rows)}, finite(facts), lines)


def _targets_moved(run: Subject) -> list[str]:
    """A warning where the student that was kept is older than the targets it is compared with."""
    evaluated = [row for row in run.folder.metrics.read() if row.get("valid") is not None]
    select = run.config.fit.select
    name = "valid" if select == "loss" else f"valid_{select}"
    best = min(evaluated, key=lambda row: cost(select, row[name]), default=None)
    if best is None or best["stage"] != "smt" or best is evaluated[-1]:
        return []
    return [
        f"the student that was kept is of step {best['step']}, in joint training, and its teacher "
        "was trained further: these are not the targets that it was trained on last"
    ]


def _start_credit(run: Subject, batch: Batch) -> dict[str, dict[str, Credit]]:
    """By loss and by what was changed, of networks as initialised."""
    student, teacher = _untrained(run)
    panels, config = {"BPTT": {}, _DECODED: {}, _WHOLE: {}}, run.config.smt
    for factor, changed in _scaled(student).items():
        name = "start" if factor == 1.0 else f"start, weights x {factor:g}"
        panels["BPTT"][name] = bptt_credit(changed, batch)
        _add_smt(panels, name, smt_credit(changed, teacher, config, batch))
    _add_smt(panels, "start, F = 1", smt_credit(student, teacher, replace(config, future=1), batch))
    return panels


def _scaled(student: Student) -> dict[float, Student]:
    """The student by factor on its recurrent weights; as it is where the cell can't be scaled."""
    try:
        return {f: student if f == 1.0 else scaled(student, f) for f in SCALES}
    except UsageError:
        return {1.0: student}


def _add_smt(panels: dict[str, dict[str, Credit]], name: str, found: dict[str, Credit]) -> None:
    panels[_DECODED][name], panels[_WHOLE][name] = found["outputs"], found["total"]


def _per_step(credit: Credit) -> str:
    found = credit.per_step
    return "reaches fewer than two t" if found is None else f"x {found:.3f} a step back"


def _networks(run: Subject) -> dict[str, Student | Teacher]:
    networks: dict[str, Student | Teacher] = {"student": run.student}
    if run.teacher is not None:
        networks["targets"] = run.teacher
    return networks | {"untrained": _untrained(run)[0]}


def _ending_together(source: Source, count: int) -> Batch:
    """Test sequences; of labelled ones those of the most frequent length, without padding.

    A mean over sequences that end at different steps would mix distances from the last output.
    """
    if not isinstance(source.codec, LabelCodec):
        return next(iter(source.held_out("test", count, count)))
    batches = list(source.held_out("test", _AT_ONCE, _LOOKED_AT))
    ends = [batch.mask.cumsum(1).argmax(1) + 1 for batch in batches]
    found = Counter(torch.cat(ends).tolist())
    end = max(found, key=lambda steps: (found[steps], steps))
    cut = [[part[at == end, :end] for part in b] for b, at in zip(batches, ends, strict=True)]
    cut = [parts for parts in cut if len(parts[0])]
    return Batch(*(torch.cat(parts)[:count] for parts in zip(*cut, strict=True)))


def _untrained(run: Subject) -> tuple[Student, Teacher]:
    """Student and teacher of the run's sizes, whether its stages use a teacher or not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.config.seed)
        student = build_student(run.config.student, run.source.signature)
        inputs = run.config.smt.input_decoding > 0
        shape, reach = student.memory, student.cell.reach
        teacher = build_teacher(run.config.teacher, student.signature, shape, inputs, reach)
        return student, teacher


def _has_outputs(memories: Memories, ahead: int) -> bool:
    return bool(memories.of_future("student", ahead).counted.any())


def _length_line(row: AtLength) -> str:
    scores = {"student": row.student} | ({"teacher": row.teacher} if row.teacher else {})
    shown = [f"{name} {score.nats:.4f}" for name, score in scores.items()]
    right = [f"({s.accuracy:.1%})" if s.accuracy is not None else "" for s in scores.values()]
    pairs = "  ".join(f"{a} {b}".strip() for a, b in zip(shown, right, strict=True))
    return f"length {row.length:<7,}{pairs}"


def _probe_line(probes: dict[str, Probe]) -> str:
    shown = ", ".join(f"{whose} {probe.accuracy:.1%}" for whose, probe in probes.items())
    return f"{shown}; most frequent {next(iter(probes.values())).majority:.1%}"
