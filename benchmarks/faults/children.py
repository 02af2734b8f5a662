"""Commands in forked processes: no second of imports, a fault ends only its own process.

The process that forks must never have trained: torch's threads don't survive a fork.
"""

import faulthandler
import gc
import importlib
import io
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.rename": (0, 1), "os.remove": (0,), "os.rmdir": (0,), "os.mkdir": (0,), "os.link": (1,),
    "os.symlink": (1,), "os.truncate": (0,), "os.chmod": (0,), "shutil.rmtree": (0,),
}  # fmt: skip
"""Events of Python's audit hooks that change files, and which of their arguments are paths."""
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect")


@dataclass(frozen=True)
class Watch:
    """What a command may do."""

    home: Path
    """The only folder it may write in, besides `scratch`."""
    scratch: Path
    """Caches and logs."""
    memory: int = 3 * 2**30
    """Bytes it may take beyond what the forking process has."""
    limit: float = 20.0
    """Seconds of work until it gets Ctrl-C; five times as many where it doesn't work."""
    patience: float = 20.0
    """As many that it then has to leave."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    """Exit code, or minus the signal that ended it."""
    out: str
    err: str
    seconds: float
    told: list[str] = field(default_factory=list)
    """What it did that it may not."""
    stopped: bool = False
    """Did it get Ctrl-C?"""
    hung: bool = False
    """Did it not even end then?"""


READ = "read by the library"
"""In place of a command: its one argument is a kind of file."""
_WARM = (
    "train copy:8 --method smt --steps 1 --fit.batch 2 --name one --student.width 8",
    "train copy:8 --method bptt --cell torch-gru --steps 1 --fit.batch 2 --name ships",
    "export ships --to torch",
    "report one",
    "label one --sequences 4",
    "doctor one --sequences 4",
    "compare copy:8 --plan",
)
"""What forked processes need is what these commands import."""


def prepare() -> None:
    """Import all that commands import, and read their options once; forked processes have it then.

    One thread, and git is asked once, not by every run.
    """
    import torch

    from pastforward.cli.main import main
    from pastforward.provenance import provenance
    from pastforward.runs import saving

    importlib.import_module("benchmarks.faults.reading")
    torch.set_num_threads(1)
    with suppress(ImportError):  # reads .ts files, and takes a second to come
        importlib.import_module("sktime.datasets")
    facts = provenance()
    saving.provenance = lambda: facts
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place).resolve() / name for name in ("home", "scratch")]
        for folder in folders:
            folder.mkdir()
        for name in _imported(Watch(*folders)):
            with suppress(Exception):  # a module that only others may import
                importlib.import_module(name)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        for words in (["compare", "copy:8", "--plan"], ["train", "copy:8", "--help"]):
            main(words)
    gc.collect()
    gc.freeze()  # a collection in a forked process would copy all pages


def _imported(watch: Watch) -> list[str]:
    """Modules that a process has after some commands."""
    child = os.fork()
    if not child:
        try:
            from pastforward.cli.main import main

            os.chdir(watch.home)
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                for words in _WARM:
                    main(words.split())
            (watch.scratch / "modules").write_text("\n".join(sys.modules))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return (watch.scratch / "modules").read_text().splitlines()


def call(words: list[str], watch: Watch) -> Ended:
    """Run a command to its end, in `watch.home`."""
    child, begin = _forked(words, watch), time.monotonic()
    stopped = not _works_less(child, watch.limit)
    if stopped:
        os.kill(child, signal.SIGINT)
    hung = stopped and not _works_less(child, watch.limit + watch.patience)
    return _gathered(child, watch, time.monotonic() - begin, stopped, hung)


def killed(words: list[str], watch: Watch, after: float) -> Ended:
    """Run a command and kill it and all its processes after some seconds, unless it ends before."""
    child, begin = _forked(words, watch), time.monotonic()
    _ended(child, after)
    return _gathered(child, watch, time.monotonic() - begin)


def _forked(words: list[str], watch: Watch) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads: none has a lock
        child = os.fork()
    if child:
        return child
    code = 70
    try:
        code = _run(words, watch)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(words: list[str], watch: Watch) -> int:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
    os.chdir(watch.home)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(watch.scratch / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))  # noqa: SIM115
    faulthandler.enable(2)
    tempfile.tempdir = str(watch.scratch)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + watch.memory,) * 2)
    report = os.open(watch.scratch / "told", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    sys.addaudithook(_hook(report, (str(watch.home), str(watch.scratch), "/dev/null")))

    from benchmarks.faults.reading import read
    from pastforward.cli.main import main

    return read(words[1]) if words[0] == READ else main(words)


def _hook(report: int, places: tuple[str, ...]) -> Callable[[str, tuple], None]:
    """Writes what leaves `places`, what unpickles and what starts or reaches other programs."""

    def tell(text: str) -> None:
        os.write(report, (text.replace("\n", " ") + "\n").encode(errors="replace"))

    def outside(path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        place = os.path.realpath(os.path.dirname(os.path.abspath(os.fsdecode(path))))
        return not any(place == one or place.startswith(one + os.sep) for one in places) and (
            os.fsdecode(path) not in places
        )

    def hook(event: str, given: tuple) -> None:
        if event == "open":
            path, _, flags = given
            if isinstance(flags, int) and flags & _WRITING and outside(path):
                tell(f"opened for writing: {path!r}")
        elif event in _CHANGES:
            for place in _CHANGES[event]:
                if outside(given[place]):
                    tell(f"{event} of {given[place]!r}")
        elif event == "pickle.find_class" or event in _STARTS:
            tell(f"{event} {given[:2]!r}")

    return hook


def _ended(child: int, seconds: float) -> bool:
    handle = os.pidfd_open(child)
    try:
        return bool(select.select([handle], [], [], max(0.0, seconds))[0])
    finally:
        os.close(handle)


def _works_less(child: int, seconds: float) -> bool:
    """Does it end within so many seconds of a processor's time? The machine may be shared."""
    begin, tick = time.monotonic(), os.sysconf("SC_CLK_TCK")
    while not _ended(child, 0.2):
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        worked = (int(fields[11]) + int(fields[12])) / tick
        if worked > seconds or time.monotonic() - begin > 5 * seconds:
            return False
    return True


def _gathered(
    child: int, watch: Watch, seconds: float, stopped: bool = False, hung: bool = False
) -> Ended:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # workers of its own, and itself if it still runs
    status = os.waitpid(child, 0)[1]
    out, err, told = (_text(watch.scratch / name) for name in ("out", "err", "told"))
    code = os.waitstatus_to_exitcode(status)
    return Ended(code, out, err, seconds, told.splitlines(), stopped, hung)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
