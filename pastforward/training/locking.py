"""L4. One process at a time writes a run, or labels; what killed ones left behind is mended."""

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pastforward.errors import UsageError

_LEFT = re.compile(r"\..+\.(?P<pid>\d+)\.(new|old|gone|part)")
"""Files and folders under way, by whom: `.NAME.PID.part`. `old` is whole, `gone` is being deleted.
"""


def under_way(path: Path, what: str) -> Path:
    """The place beside `path` where this process keeps its 'new', 'old' or 'gone' content."""
    return path.with_name(f".{path.name}.{os.getpid()}.{what}")


@contextmanager
def locked(path: Path, option: str = "--name") -> Iterator[None]:
    """Keep other processes from writing the run at `path`; the system frees it with the process.

    Raises `UsageError` where another one holds it, or the place can't be written; `option` is what
    chooses another place.
    """
    file = path.with_name(f".{path.name}.lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(
            f"Can't write {path} ({error.strerror}); free some space, or choose a place you may "
            f"write to with {option}."
        ) from error
    try:
        if not _hold(handle, file):
            who = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            raise UsageError(
                f"{path} is being written by {who}; wait for it, stop it, or use another {option}."
            )
        try:
            yield
        finally:
            with suppress(OSError):
                file.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _hold(handle: int, file: Path) -> bool:
    """Lock the open file and write into it who holds it; False where another process does."""
    with suppress(ImportError):  # systems without it go without locks
        from fcntl import LOCK_EX, LOCK_NB, flock

        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
        # Whoever held it may have deleted it in between.
        if not file.exists() or not os.path.samestat(os.fstat(handle), file.stat()):
            return False
    with suppress(OSError):  # a full disk
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return True


def is_run(folder: Path) -> bool:
    """Does it hold a run?"""
    return (folder / "config.json").exists()


def mend(path: Path, whole: Callable[[Path], bool] = is_run) -> None:
    """Put back the run at `path`, or what else is `whole`, that a killed --overwrite set aside."""
    for left in _left(path):
        if left.suffix == ".old" and not path.exists() and whole(left):
            with suppress(OSError):  # another process was faster, or it may only be read
                left.rename(path)


def sweep(path: Path) -> None:
    """Delete what killed processes had under way beside the run at `path`, and in it."""
    for left in _left(path):
        shutil.rmtree(left, ignore_errors=True)
    for left in _of_dead(path.rglob(".*.part")):
        with suppress(OSError):
            left.unlink()


def is_empty(folder: Path) -> bool:
    """Does the folder hold nothing, or only what is under way?"""
    return all(_LEFT.fullmatch(path.name) for path in folder.iterdir())


def _left(path: Path) -> list[Path]:
    """What processes that are gone had under way beside `path`, in its name."""
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    return _of_dead(one for one in beside if one.name.startswith(f".{path.name}."))


def _of_dead(paths: Iterable[Path]) -> list[Path]:
    found = ((path, _LEFT.fullmatch(path.name)) for path in paths)
    return [path for path, left in found if left and not _lives(int(left["pid"]))]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
