"""L6. Several runs at a time, each in a process of its own that does not outlive this one."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from pastforward.errors import Stopped
from pastforward.runs.comparison.progress import GridProgress
from pastforward.runs.comparison.record import Job
from pastforward.training.folder import IfExists
from pastforward.training.stopping import stop_signals

_LOOK_EVERY = 0.1
_SAVE = signal.SIGINT
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class Worker:
    """A process that trains one run."""

    def __init__(self, job: Job) -> None:
        begun = job.folder.config.exists()
        job.folder.prepare(job.config, IfExists.RESUME if begun else IfExists.REFUSE)
        job.folder.record(job.config)
        self.job, self._said = job, tempfile.TemporaryFile()  # noqa: SIM115 (read after it)
        # A session of its own: Ctrl-C comes to this process alone, which passes it on once.
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__.replace("workers", "worker"),
             str(job.folder.path), str(os.getpid())],
            env=os.environ | _ONE_THREAD, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self._said, start_new_session=True,
        )  # fmt: skip

    def problem(self) -> str | None:
        """Why an ended process failed; None when it did its work."""
        if self.process.returncode == 0:
            return None
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else 'no word'} (exit code {self.process.returncode})"


def run_workers(jobs: Sequence[Job], count: int, progress: GridProgress, resume_command: str) -> None:
    """Train all, `count` at a time; raises `Stopped`, with all saved, when asked to or one broke.

    No worker is left when this returns or raises.
    """
    waiting, running = list(jobs), list[Worker]()
    with stop_signals() as asked:
        try:
            while (waiting or running) and not asked():
                while waiting and len(running) < count:
                    running.append(Worker(waiting.pop(0)))
                time.sleep(_LOOK_EVERY)
                progress.look([worker.job for worker in running])
                running = _without_ended(running, progress, resume_command)
        finally:
            _end(running)
    if asked():
        raise Stopped(f"stopped and saved; go on with: {resume_command}", 128 + asked.signal)


def _without_ended(running: list[Worker], progress: GridProgress, resume_command: str) -> list[Worker]:
    for worker in running:
        if worker.process.poll() is None:
            continue
        problem = worker.problem()
        if problem:
            told = f"{worker.job.trial}: {problem.removeprefix('pastforward: ')}"
            raise Stopped(f"{told}; the others are saved, go on with: {resume_command}", 1)
        progress.ended(worker.job)
    return [worker for worker in running if worker.process.returncode is None]


def _end(running: Sequence[Worker]) -> None:
    """Let them save; a second Ctrl-C in the meantime kills them."""
    alive = [worker.process for worker in running if worker.process.poll() is None]
    try:
        for process in alive:
            process.send_signal(_SAVE)
        for process in alive:
            process.wait()
    finally:
        for process in alive:
            process.kill()
            process.wait()
