"""L6. A run by name: what it is, its networks and data, and all that can be asked of it."""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pastforward.analysis.checks.context import CheckContext, CheckResult, History
from pastforward.analysis.checks.table import examine
from pastforward.analysis.evaluate import Evaluation, evaluate
from pastforward.analysis.samples import Samples
from pastforward.baselines.base import Baseline, Network
from pastforward.config import RunConfig
from pastforward.data.codec import Codec
from pastforward.data.opening import in_memory, kind_of, located, open_known
from pastforward.data.source import Source, require_known
from pastforward.errors import UsageError
from pastforward.report.summary import RunSummary
from pastforward.runs.analysing import analyse_run, require_analyses
from pastforward.runs.foreign import require_allowed
from pastforward.runs.networks import (
    Networks,
    load_checkpoint,
    load_teacher,
    require_finished,
    subject_of,
    teacher_of_store,
)
from pastforward.runs.places import find_run
from pastforward.runs.saving import (
    few_samples,
    network_facts,
    read_saved,
    saved_facts,
    write_summary,
)
from pastforward.student_file import load_network
from pastforward.teacher.teacher import Teacher
from pastforward.training.folder import RunFolder

if TYPE_CHECKING:
    from pastforward.runs.analyses import Analysis


def _silent(text: str) -> None:
    pass


def open_run(
    name: str | Path, allow: Collection[str] = (), source: Source | str | Path | None = None,
    allow_new_data: bool = False,
) -> "Run":  # fmt: skip
    """The run of that name below runs/, or at that path; networks and data are opened when asked.

    `allow` holds the code of your own, as module:Name, that its config names and that may be
    imported. `source` is the data of a run that was trained on a `Source` object, or the path where
    its data lies now. Data of another content than it was trained on is refused, or with
    `allow_new_data` read by the codec and scaler of then. Raises `UsageError` where there is no
    such run, it can't be read, or it names code not allowed.
    """
    folder = find_run(str(name))
    config = folder.read_config()
    if isinstance(source, str | Path):
        moved = located(replace(config.data, source=str(source)))
        config, source = replace(config, data=moved), None
    require_allowed(config, allow, folder.path)
    return Run(folder, config, source, allow, allow_new_data=allow_new_data)


class Run:
    """A run folder and what lies in it, each part opened when it is first asked for."""

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        source: Source | None = None,
        allow: Collection[str] = (),
        summary: RunSummary | None = None,
        allow_new_data: bool = False,
    ) -> None:
        """`open_run` and `train` return runs."""
        self.folder, self.config, self.allow = folder, config, allow
        self._source, self._summary, self._allow_new = source, summary, allow_new_data
        self.unsaved: str | None = None
        """Why `evaluate` or `doctor` could not write last time; what they found is returned."""

    @property
    def path(self) -> Path:
        """Folder of the run."""
        return self.folder.path

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.path.name

    @property
    def checks_page(self) -> Path:
        """The page that `doctor` writes."""
        return self.path / "doctor.html"

    @property
    def finished(self) -> bool:
        """Is there a trained network?"""
        return self.folder.student.exists()

    @property
    def student(self) -> Network:
        """The best student, or the baseline; raises `UsageError` while the run isn't finished."""
        return self._loaded[0]

    @property
    def codec(self) -> Codec:
        """What inputs and outputs of the network mean."""
        return self._loaded[1]

    @cached_property
    def source(self) -> Source:
        """The data; raises `UsageError` where it isn't what the run was trained on."""
        if self._source is None and in_memory(self.config.data.source):
            kind_of(self.config.data.source)  # says what to do
        known, where = self.folder.read_data(), str(self.path)
        if self._source is None:
            source = open_known(self.config.data, known, where, self._allow_new)
        else:
            source = self._source
            require_known(source, known, where, self._allow_new)
        if self.finished:
            self._require_same(source)
        return source

    @cached_property
    def teacher(self) -> Teacher | Baseline | None:
        """The last teacher, or the output teacher of `distill`; None where the run has none."""
        return load_teacher(self.folder, self.config, self.student)

    @property
    def summary(self) -> RunSummary:
        """What reports show of a finished run: evaluation, metrics, facts, samples."""
        if self._summary is None:
            saved = read_saved(self.folder.evaluation)
            metrics, samples = self.folder.metrics.read(), self.samples()
            self._summary = RunSummary(
                self.name, saved["evaluation"], metrics, saved["facts"], samples
            )
        return self._summary

    def evaluate(self, split: str = "test", sequences: int | None = None) -> Evaluation:
        """Measure the network alone and its teacher on at most so many held-out sequences.

        Without a number, as `pastforward.evaluate` does: on 512, of labelled data on 10,000.
        Figures of the test split are kept in evaluation.json; where that can't be written,
        `unsaved` says why. Raises `UsageError` for another split than 'test' and 'valid'.
        """
        if sequences is not None and sequences < 1:
            raise UsageError(f"--sequences is {sequences}; give 1 or more.")
        found = evaluate(self.student, self.teacher, self.source, split, sequences)
        if split == "test":
            summary = self.summary_of(found)
            self._keep(lambda: write_summary(self.folder, summary))
            self._summary = None
        return found

    def summary_of(self, found: Evaluation) -> RunSummary:
        """Summary with figures measured just now, without metrics and samples."""
        facts: dict[str, Any] = network_facts(self.student, self.source, self.config)
        facts |= saved_facts(self.folder)
        if self._allow_new:
            facts["data"] = self.source.describe()
        return RunSummary(self.name, found.to_json(), facts=facts)

    def doctor(
        self, sequences: int = 256, told: Callable[[str], None] = _silent
    ) -> list[CheckResult]:
        """Check for the usual faults; writes doctor.html. `told(name)` is called before each check.

        Where the page can't be written, `unsaved` says why.

        A stopped run is checked as its last checkpoint has it; a student of stored targets beside
        the teacher that wrote them, where it still is there. Raises `UsageError` for a baseline,
        and where nothing was saved yet.
        """
        from pastforward.report.checks_page import write_page  # late: matplotlib takes a second

        if sequences < 2:
            raise UsageError(f"--sequences is {sequences}; give 2 or more, to compare them.")
        networks = self._networks_to_check()
        subject = subject_of(self.folder, self.config, self.source, networks, "doctor")
        history = History(self.finished, self.folder.metrics.read(), self.config)
        context = CheckContext(subject.student, subject.teacher, self.source, history, sequences)
        results = examine(context, told)
        self._keep(lambda: write_page(self.name, context, results, self.checks_page))
        return results

    def analyse(
        self, *names: str, sequences: int = 256, told: Callable[[str], None] = _silent
    ) -> "dict[str, Analysis]":
        """Answers by the names of `ANALYSES`, all that suit when none is named.

        Writes RUN/analysis. `told(text)` is called with the name of each before it is made, and
        with the reason where one is left out. Raises `UsageError` for a named one that doesn't suit
        the run.
        """
        require_analyses(names, sequences)
        networks = Networks(self.student, self.teacher)
        subject = subject_of(self.folder, self.config, self.source, networks, "analyse")
        return analyse_run(subject, names, sequences, told)

    def report(self, out: Path | None = None) -> Path:
        """Write one page about the run, to its folder when `out` is None."""
        from pastforward.report.run_page import write_report

        return write_report([self.summary], out or self.folder.report)

    def samples(self, seed: int = 0) -> Samples | None:
        """Text, images, or given, expected and predicted outputs, the same for the same seed."""
        return few_samples(self.student, self.source, seed)

    @cached_property
    def _loaded(self) -> tuple[Network, Codec]:
        require_finished(self.folder)
        return load_network(self.folder.student, self._allowed_cell())

    def _networks_to_check(self) -> Networks:
        if not self.finished:
            return load_checkpoint(self.folder, self.config, self.source)
        teacher, store = self.teacher, self.config.label_store
        if teacher is None and store is not None:
            teacher = teacher_of_store(store, self.student, self.allow)
        return Networks(self.student, teacher)

    def _keep(self, write: Callable[[], object]) -> None:
        """Figures that took minutes are not lost to a folder that can only be read."""
        self.unsaved = None
        try:
            write()
        except UsageError as error:
            self.unsaved = str(error)

    def _allowed_cell(self) -> str | None:
        cell = self.config.student.cell
        return cell if cell in self.allow else None

    def _require_same(self, source: Source) -> None:
        trained = self.student.signature, self.codec
        if (source.signature, source.codec) != trained:
            raise UsageError(
                f"The data '{self.config.data.source}' reads as {source.signature}, but "
                f"{self.path} was trained on {self.student.signature}, or on other symbols; put "
                "back the data that it was trained on."
            )
