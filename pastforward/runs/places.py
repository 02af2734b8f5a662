"""L6. Where runs lie: from a name to a run folder. Imports no torch."""

from collections.abc import Iterator
from pathlib import Path

from pastforward.errors import UsageError, nearest
from pastforward.files import read_json
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.locking import mend

RUNS = Path("runs")
"""Folder of all runs, below the current one."""


def all_runs() -> list[RunFolder]:
    """Every run below `RUNS`, those of comparisons too."""
    return [RunFolder(path.parent) for path in sorted(_below(RUNS, "config.json"))]


def _below(folder: Path, name: str) -> Iterator[Path]:
    """Files of that name, without those in folders that are hidden: they are under way."""
    for path in folder.rglob(name):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def describe_runs() -> Iterator[str]:
    """A line for every comparison, then for every other run below `RUNS`."""
    grids = {path.parent for path in _below(RUNS, "grid.json")}
    folders = [run.path for run in all_runs()]
    inside = {grid: [f for f in folders if grid in f.parent.parents] for grid in grids}
    for grid, runs in sorted(inside.items()):
        if runs:
            name = grid.relative_to(RUNS)
            yield f"{name!s:<28} a comparison with {len(runs)} runs: pastforward report {name}"
    for folder in [f for f in folders if not any(f in runs for runs in inside.values())]:
        yield f"{folder.relative_to(RUNS)!s:<28} {_state(folder)}"


def find_runs(name: str) -> list[RunFolder]:
    """The run of that name or path, or all runs of a comparison; raises `UsageError` if none."""
    for path in (RUNS / name, Path(name)):
        mend(path)
        if (path / "config.json").exists():
            return [RunFolder(path)]
        inside = list(_inside(path))
        if inside:
            # In the order in which they were trained.
            inside.sort(key=lambda config: (config.stat().st_mtime, config))
            return [RunFolder(config.parent) for config in inside]
    names = [str(run.path.relative_to(RUNS)) for run in all_runs()]
    advice = nearest(name, names) if names else "train one first: pastforward train digits"
    raise UsageError(f"There is no run '{name}' here or below {RUNS}/; {advice}.")


def find_run(name: str) -> RunFolder:
    """The one run of that name or path; raises `UsageError` for a comparison of several."""
    found = find_runs(name)
    if len(found) > 1:
        names = ", ".join(str(run.path).removeprefix(f"{RUNS}/") for run in found)
        raise UsageError(f"'{name}' holds several runs; choose one of {names}.")
    return found[0]


def if_exists_of(resume: bool, overwrite: bool) -> str:
    """The word for --resume or --overwrite; raises `UsageError` for both."""
    if resume and overwrite:
        raise UsageError("Both --resume and --overwrite were given; give one of them.")
    return "resume" if resume else "overwrite" if overwrite else "refuse"


def read_if_exists(word: str) -> IfExists:
    """'refuse', 'resume' or 'overwrite'; raises `UsageError` for another word."""
    known = [one.value for one in IfExists]
    if word not in known:
        raise UsageError(f"if_exists is '{word}'; {nearest(word, known)}.")
    return IfExists(word)


def _state(folder: Path) -> str:
    try:
        found = read_json(folder / "evaluation.json")
        student = found["evaluation"]["student"]
        return f"{student['nats']:.4f} {student.get('unit', 'nats')} per output, alone"
    except FileNotFoundError:
        return "not finished"
    except (OSError, ValueError, KeyError, TypeError):
        return "evaluation.json can't be read"


def _inside(comparison: Path) -> Iterator[Path]:
    """Configs of a comparison's runs, without those that searched learning rates."""
    for config in _below(comparison, "config.json"):
        if "rates" not in config.relative_to(comparison).parts:
            yield config
