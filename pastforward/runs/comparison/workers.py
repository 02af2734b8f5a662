"""L6. Several runs at a time, each in a process of one thread that does not outlive this one.

Workers are asked to stop by an event, which they look at after every step: they then save as after
Ctrl-C. Where this process is killed, they save and end by themselves.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Event

import torch
from rich.console import Console
from typing_extensions import override

from pastforward.errors import Stopped, meaning
from pastforward.runs.comparison.progress import GridProgress
from pastforward.runs.comparison.record import Job
from pastforward.runs.training import Telling, attempt
from pastforward.training.callbacks import Callback, stop_signals
from pastforward.training.loop import Fit

_POLL_EVERY = 0.1
_asked: Event | None = None
"""In a worker: set once it is to stop."""
_busy = threading.Lock()
"""In a worker: held while a run is under way."""


def run_workers(
    jobs: Sequence[Job], count: int, progress: GridProgress, resume_command: str
) -> None:
    """Train all, `count` at a time; raises `Stopped`, with all saved, when asked to or one broke.

    No worker is left when this returns or raises.
    """
    context = multiprocessing.get_context("spawn")  # forked processes can't use CUDA
    ask = context.Event()
    pool = ProcessPoolExecutor(count, context, _prepare, (ask,))
    with stop_signals() as asked:
        try:
            running = {pool.submit(_work, job): job for job in jobs}
            while running and not asked():
                done, _ = wait(running, _POLL_EVERY, FIRST_COMPLETED)
                progress.poll([job for future, job in running.items() if future.running()])
                for future in done:
                    job = running.pop(future)
                    _require_done(future, job, resume_command)
                    progress.ended(job)
        finally:
            _end(pool, ask)
    if asked():
        raise Stopped(f"stopped and saved; go on with: {resume_command}", 128 + asked.signal)


def _require_done(future: Future[None], job: Job, resume_command: str) -> None:
    error = future.exception()
    if error is None:
        return
    broken = isinstance(error, BrokenProcessPool)
    reason = "its process was killed" if broken else meaning(error).line.rstrip(".")
    message = f"{job.trial}: {reason}; the others are saved, go on with: {resume_command}"
    raise Stopped(message, 1) from error


def _end(pool: ProcessPoolExecutor, ask: Event) -> None:
    """Let all workers save and end; a second Ctrl-C in the meantime kills them."""
    ask.set()
    try:
        pool.shutdown(cancel_futures=True)
    finally:
        for process in multiprocessing.active_children():
            process.kill()


def _prepare(ask: Event) -> None:
    """Called first in every worker."""
    global _asked  # noqa: PLW0603 (a pool's processes have no other state of their own)
    _asked = ask
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which asks once
    torch.set_num_threads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _work(job: Job) -> None:
    """Train and evaluate one run."""

    @contextmanager
    def silent(*_: object):
        yield _StopWhenAsked()

    with _busy, suppress(Stopped):  # a stopped run is saved, and the parent knows
        attempt(job.config, job.folder, Telling((), Console(quiet=True), watching=silent))


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert _asked is not None
    parent.join()
    _asked.set()
    with _busy:
        os._exit(1)


class _StopWhenAsked(Callback):
    """Stops a run as SIGTERM does, once."""

    def __init__(self) -> None:
        self._stopping = False

    @override
    def on_step(self, fit: Fit, terms: dict[str, float], valid: float | None) -> None:
        if not self._stopping and _asked is not None and _asked.is_set():
            self._stopping = True
            os.kill(os.getpid(), signal.SIGTERM)
