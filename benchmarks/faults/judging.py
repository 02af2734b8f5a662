"""What a command may leave behind, and how it may end."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from benchmarks.faults.children import Ended
from benchmarks.faults.damage import IMPORTED, PLANTED

State = dict[str, str]
ENDS = (0, 1, 2)
"""Done; a loss that is not finite, or a check that failed; bad input."""
STOPPED = (*ENDS, 130, 143)
_UNDER_WAY = re.compile(r"\..+\.\d+\.(new|old|gone|part)|\..+\.lock")


def state(home: Path) -> State:
    """Every file and folder, with a sum of its content."""
    return {str(path.relative_to(home)): _sum(path) for path in sorted(home.rglob("*"))}


def _sum(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return "no file"
    return hashlib.blake2b(path.read_bytes()).hexdigest()


def fault_of(ended: Ended, home: Path, before: State) -> str:
    """What is wrong with how a command ended and what it left; '' where nothing is."""
    return next(filter(None, (_end(ended), _deeds(ended, home), _left(ended, home, before))), "")


def _end(ended: Ended) -> str:
    if ended.hung:
        return "hangs, and Ctrl-C doesn't end it"
    said = ended.err[-1500:]
    if ended.code not in (STOPPED if ended.stopped else ENDS):
        return f"exit code {ended.code}: {said}"
    if "Traceback (most recent" in ended.out + ended.err:
        return f"a traceback: {said}"
    last = ended.err.rstrip("\n").rpartition("\n")[2]
    if ended.code == 2 and not last.startswith("pastforward: "):
        return f"no line of its own: {said}"
    return ""


def _deeds(ended: Ended, home: Path) -> str:
    if ended.told:
        return f"did what it may not: {ended.told[:3]}"
    ran = [name for name in (PLANTED, IMPORTED) if (home / name).exists()]
    return f"ran code of a file: {ran}" if ran else ""


def _left(ended: Ended, home: Path, before: State) -> str:
    after = state(home)
    new = [name for name in after if after[name] != before.get(name)]
    gone = [name for name in before if name not in after]
    if ended.code == 2 and (new or gone):
        return f"refused, but wrote {new[:5]} and deleted {gone[:5]}: {ended.err[-300:]}"
    under_way = [name for name in new if _UNDER_WAY.fullmatch(Path(name).name)]
    if under_way:
        return f"left {under_way}"
    others = [name for name in (*new, *gone) if name in before and not _result(name)]
    if others:
        return f"changed {others}, which is no result"
    return next(filter(None, (_half(home / name) for name in new)), "")


def _result(name: str) -> bool:
    return name.startswith(("runs/", "labels/", "new/"))


def _half(path: Path) -> str:
    """What is wrong with a file that was written."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_text(), parse_constant=_no_number)
        elif path.suffix == ".jsonl":
            for line in path.read_text().splitlines():
                json.loads(line, parse_constant=_no_number)
        elif path.suffix == ".safetensors":
            from pastforward.files import read_tensors

            read_tensors(path)
    except (OSError, ValueError) as error:
        return f"wrote {path.name}, which can't be read ({error})"
    return ""


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
