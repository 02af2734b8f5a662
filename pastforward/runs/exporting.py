"""L6. Export: write a student in another format, and keep it where it does what PyTorch does."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pastforward.data.files import optional_package
from pastforward.errors import UsageError, nearest
from pastforward.files import to_json
from pastforward.inference.export import EXPORTS, Exported, ExportEntry, Shipment
from pastforward.inference.export.checking import (
    Agreement,
    RoundedLoss,
    agreement,
    eager,
    microseconds,
    rounded_loss,
)
from pastforward.registry import import_target
from pastforward.runs.networks import require_finished
from pastforward.runs.opening import Run, open_run
from pastforward.runs.saving import read_saved
from pastforward.student_file import load_student
from pastforward.training.locking import locked, mend, sweep, under_way
from pastforward.types import Batch

_HELD_OUT = 256
"""Sequences that the loss of rounded weights is measured on."""


@dataclass(frozen=True)
class ExportRequest:
    """What to write, and where."""

    to: str
    """A name in `EXPORTS`."""
    out: Path | None = None
    """A folder; beside the student, named like the format, when None."""
    int8: bool = False
    """Weights of 8 bits, too."""
    overwrite: bool = False


@dataclass(frozen=True)
class Export:
    """What was written, and how it compares with PyTorch."""

    path: Path
    files: dict[str, int]
    """Bytes by name."""
    agreements: tuple[Agreement, ...]
    rounded: tuple[RoundedLoss, ...]
    eager_microseconds: float
    """A step of PyTorch, one sequence."""
    hint: str

    def lines(self) -> list[str]:
        """What people read of it."""
        shown = [f"{'PyTorch':<24} {self.eager_microseconds:8.1f} us a step"]
        shown += [
            f"{one.name:<24} {one.microseconds:8.1f} us a step, differs by {one.difference:.1e} "
            f"at most, over {one.steps:,} steps"
            for one in self.agreements
        ]
        shown += [
            f"{one.name:<24} {one.microseconds:8.1f} us a step, {one}" for one in self.rounded
        ]
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.files.items())
        return [*shown, f"Bytes: {sizes}", *filter(None, [self.hint])]


@dataclass(frozen=True)
class _Subject:
    shipment: Shipment
    home: Path
    """Where it lies."""
    run: Run | None


def export(
    run: Run | Shipment | str | Path, request: ExportRequest, allow: Collection[str] = (),
    source: str | None = None, allow_new_data: bool = False,
) -> Export:  # fmt: skip
    """Write the student of a run, or in a file, as `request.to`, and compare it with PyTorch.

    A student in memory, such as one with a cell by `wrap`, is given as a `Shipment`.

    Raises `UsageError` where the target is unknown, suits no such student or needs what isn't
    installed, where something lies at that place already, and where what was written differs from
    PyTorch: then nothing is left of it.
    """
    row = _row(request)
    if isinstance(run, str | Path):
        run = _opened(run, allow, source, allow_new_data)
    subject = (
        _in_memory(run, request) if isinstance(run, Shipment) else _subject(run, request, allow)
    )
    place = request.out or subject.home / request.to
    _require_free(place, request.overwrite)
    with locked(place.absolute(), "--out"):
        mend(place.absolute(), whole=Path.is_dir)
        sweep(place.absolute())
        _require_free(place, request.overwrite)  # another process may have written it meanwhile
        with _beside(place) as part:
            written: Exported = import_target(row.target)(subject.shipment, part)
            found = _compared(subject, written, place, part)
            _replace(place, part)
    return found


def _compared(subject: _Subject, written: Exported, place: Path, part: Path) -> Export:
    student = subject.shipment.student
    return Export(
        place,
        {name: (part / name).stat().st_size for name in _names(part)},
        tuple(agreement(student, name, replay) for name, replay in written.replays.items()),
        tuple(
            rounded_loss(student, name, replay, _held_out(subject.run))
            for name, replay in written.rounded.items()
        ),
        microseconds(student, eager(student)),
        written.hint.format(place=place),
    )


def _row(request: ExportRequest) -> ExportEntry:
    """Raises `UsageError` for an unknown target, one without int8, or without its packages."""
    if request.to not in EXPORTS:
        raise UsageError(f"There is no export '{request.to}'; {nearest(request.to, EXPORTS)}.")
    row = EXPORTS[request.to]
    if request.int8 and not row.has_int8:
        known = ", ".join(name for name, one in EXPORTS.items() if one.has_int8)
        raise UsageError(
            f"--int8 was given with --to {request.to}, which has no weights of 8 bits; give it "
            f"with --to {known}."
        )
    for module in row.needs:
        optional_package(module, row.extra, f"--to {request.to}")
    return row


def _opened(
    name: str | Path, allow: Collection[str], source: str | None, allow_new_data: bool
) -> Run | Path:
    path = Path(name)
    return path if path.is_file() else open_run(name, allow, source, allow_new_data)


def _in_memory(shipment: Shipment, request: ExportRequest) -> _Subject:
    student = deepcopy(shipment.student).cpu().float().eval()
    return _Subject(replace(shipment, student=student, int8=request.int8), Path(), None)


def _subject(opened: Run | Path, request: ExportRequest, allow: Collection[str]) -> _Subject:
    run = opened if isinstance(opened, Run) else None
    if run is not None:
        require_finished(run.folder)
        allow = run.allow
    path = opened.folder.student if isinstance(opened, Run) else opened
    student, codec = load_student(path, next(iter(allow), None))
    facts = _facts(run) if run is not None else {}
    return _Subject(Shipment(student.float(), codec, facts, request.int8), path.parent, run)


def _facts(run: Run) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": run.name, "config": to_json(run.config)}
    if run.folder.evaluation.exists():
        facts |= read_saved(run.folder.evaluation)
    return facts


def _held_out(run: Run | None) -> Iterator[Batch]:
    if run is not None:
        yield from run.source.held_out("valid", 64, _HELD_OUT)


def _require_free(place: Path, overwrite: bool) -> None:
    if place.exists() and not overwrite:
        raise UsageError(
            f"'{place}' exists; give --overwrite to replace it, or another place as --out."
        )
    if not place.parent.is_dir():
        raise UsageError(f"There is no folder '{place.parent}' to write to; make it first.")


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """An empty folder, on the same disk, that is gone in the end."""
    home = under_way(place.absolute(), "new")
    try:
        home.mkdir()
    except OSError as error:
        raise UsageError(
            f"'{place}' can't be written ({error.strerror or error}); choose a place that you may "
            "write to."
        ) from error
    try:
        (home / place.name).mkdir()
        yield home / place.name
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _replace(place: Path, part: Path) -> None:
    """Move `part` to `place`; an earlier export steps aside, and whoever is killed loses none.

    Raises `UsageError` where the folder holds what no such export writes.
    """
    others = {one.name for one in place.iterdir()} if place.is_dir() else {place.name}
    others -= {one.name for one in part.iterdir()}
    if place.exists() and others:
        raise UsageError(
            f"'{place}' holds {', '.join(sorted(others)[:5])}, which this export doesn't write and "
            "would delete; choose another place as --out."
        )
    old = under_way(place.absolute(), "old")
    if place.exists():
        place.rename(old)
    part.replace(place)
    shutil.rmtree(old, ignore_errors=True)


def _names(folder: Path) -> list[str]:
    """Of all files in it."""
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())
