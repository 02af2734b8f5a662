"""L0. What was made of large data, kept in a folder of the user's for the next time.

Every entry is a folder with facts.json and other files, written whole or not at all. Where two
processes want the same entry, one makes it and the other waits. All of it may be deleted at any
time. Imports no torch.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from pastforward.errors import UsageError
from pastforward.files import expanded, json_text, write_json

VARIABLE = "PASTFORWARD_CACHE"
_FACTS = "facts.json"

Json = dict[str, Any]


class Kept(NamedTuple):
    """An entry: its folder, and what `facts.json` says."""

    folder: Path
    facts: Json


def cache_folder() -> Path:
    """The folder that `PASTFORWARD_CACHE` names, else pastforward/ in the user's cache."""
    given = os.environ.get(VARIABLE)
    if given:
        return expanded(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pastforward"


def kept(kind: str, key: Mapping[str, Any], write: Callable[[Path], Json]) -> Kept:
    """The entry of `key`; where there is none, `write(folder)` fills one and returns its facts.

    Raises `UsageError` where the cache can't be written.
    """
    name = hashlib.sha256(json_text(dict(sorted(key.items()))).encode()).hexdigest()[:32]
    place = cache_folder() / kind / name
    if not (place / _FACTS).exists():
        try:
            with _locked(place):
                if not (place / _FACTS).exists():
                    _make(place, write)
        except OSError as error:
            raise UsageError(
                f"The cache '{cache_folder()}' can't be written ({error.strerror or error}); free "
                f"some space, or let {VARIABLE} name a folder that you may write to."
            ) from error
    return Kept(place, _facts(place))


def _facts(place: Path) -> Json:
    try:
        return json.loads((place / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(place) from error


def damaged(place: Path) -> UsageError:
    """The error for an entry that is not what was written."""
    return UsageError(f"'{place}' in the cache is damaged; delete it, and it is made anew.")


def _make(place: Path, write: Callable[[Path], Json]) -> None:
    for left in place.parent.glob(f".{place.name}.*.part"):  # of killed processes: we have the lock
        shutil.rmtree(left, ignore_errors=True)
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        part.mkdir()
        write_json(part / _FACTS, write(part))
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Wait for other processes that make this entry; the system frees the lock with a process."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f".{place.name}.lock").open("a") as file:
        with suppress(ImportError, OSError):  # systems and disks without locks go without
            from fcntl import LOCK_EX, flock

            flock(file, LOCK_EX)
        yield
