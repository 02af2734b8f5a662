"""L6. What classifier and regressor share: parameters, training, reading, files."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from rich.console import Console
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from typing_extensions import override

from pastforward.cells import StudentConfig
from pastforward.cells.build import CellBuilder
from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.data.codec import LabelCodec
from pastforward.data.labelled import LabelledSource
from pastforward.data.opening import MEMORY
from pastforward.errors import UsageError
from pastforward.estimators.arrays import sequences
from pastforward.estimators.devices import device_of
from pastforward.estimators.history import History
from pastforward.estimators.reading import outputs
from pastforward.estimators.stream import LabelStream
from pastforward.files import from_json, json_text
from pastforward.recipes.resolve import for_source
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.student import Student
from pastforward.student_file import load_student, read_description, save_student
from pastforward.training.callbacks import Callback
from pastforward.training.fit import FitContext, fit_stages
from pastforward.training.progress import progress
from pastforward.watching import shown_on

_SEEDS = 2**31 - 1


class SequenceEstimator(BaseEstimator):
    """Abstract: an estimator of what a sequence says at its end."""

    student_: Student
    codec_: LabelCodec
    history_: list[dict[str, Any]]

    def __init__(  # noqa: PLR0913 (scikit-learn: a parameter each)
        self, *, cell: str = "mlp", method: str = DEFAULT_STRATEGY, seconds: float = 60.0,
        steps: int | None = None, inputs: str | int = "auto", channels_first: bool = False,
        validation_fraction: float = 0.1, select: str | None = None,
        callbacks: Sequence[Callback] = (), device: str | None = None,
        random_state: int | np.random.RandomState | None = None, verbose: int = 0,
    ) -> None:  # fmt: skip
        self.cell = cell
        self.method = method
        self.seconds = seconds
        self.steps = steps
        self.inputs = inputs
        self.channels_first = channels_first
        self.validation_fraction = validation_fraction
        self.select = select
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @final
    def stream(self) -> LabelStream:
        """Reads one sequence step by step and answers after each, in constant memory."""
        check_is_fitted(self)
        return LabelStream(self.student_, self.codec_, self._answer)

    @final
    def save(self, path: Path | str) -> None:
        """Write one safetensors file, which `load` reads, as does `pastforward.load_student`.

        Parameters that JSON can't express (`callbacks`, a `RandomState`) are left out. Raises
        `UsageError` where the place can't be written.
        """
        check_is_fitted(self)
        extra = {
            "estimator": type(self).__name__,
            "parameters": {k: v for k, v in self.get_params().items() if _is_plain(v)},
            "fitted": self._facts(),
        }
        save_student(path, self.student_, self.student_config_, self.codec_, extra)

    @final
    @classmethod
    def load(cls, path: Path | str, cell: CellBuilder | str | None = None) -> Self:
        """What `save` wrote, able to predict; nothing is unpickled. `history_` is empty.

        A cell of your own is imported only where you name it by `cell`, as module:Name. Raises
        `UsageError` for a file that no estimator of this class wrote.
        """
        student, codec = load_student(path, cell)
        description = read_description(path)
        extra = description["extra"]
        if extra.get("estimator") != cls.__name__ or not isinstance(codec, LabelCodec):
            written = extra.get("estimator", "no estimator")
            raise UsageError(f"'{path}' was saved by {written}; give a file of a {cls.__name__}.")
        given: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in extra["parameters"].items()
        }
        self = cls(**given)
        self.student_, self.codec_, self.history_ = student, codec, []
        self.student_config_ = from_json(StudentConfig, description["config"])
        self._restore(extra["fitted"])
        return self

    def _selected(self) -> str:
        """The metric that selects where the user names none."""
        return "loss"

    @abstractmethod
    def _answer(self, parameters: Tensor) -> np.ndarray:
        """What users read of output parameters `[N, P]`."""

    @abstractmethod
    def _facts(self) -> dict[str, Any]:
        """What was fitted besides the network, as JSON."""

    @abstractmethod
    def _restore(self, facts: Mapping[str, Any]) -> None:
        """Attributes from what `_facts` gave."""

    @final
    def _read(self, X: Any) -> Tensor:
        """Output parameters `[N, P]` of each sequence of X, at its end."""
        check_is_fitted(self)
        checked = sequences(self, X, first=False)
        with shown_on() if self.verbose > 0 else nullcontext():
            return outputs(self.student_, self.codec_, checked)

    @final
    def _seeded(self) -> tuple[np.random.RandomState, int]:
        """Random numbers of this fit, and its seed."""
        random = check_random_state(self.random_state)
        return random, int(random.randint(_SEEDS))

    @final
    def _train(self, source: LabelledSource, seed: int) -> None:
        config, history = self._config(source, seed), History()
        shown = progress(config, Console(stderr=True)) if self.verbose > 0 else nullcontext()
        with shown as bars:
            callbacks = [history, *self.callbacks, *([bars] if bars else [])]
            network = fit_stages(
                config, source, FitContext(device_of(self.device), callbacks=callbacks)
            )
        assert isinstance(network, Student)
        self.student_, self.codec_, self.history_ = network.eval(), source.codec, history.rows
        self.student_config_ = config.student

    def _config(self, source: LabelledSource, seed: int) -> RunConfig:
        config = for_source(source, DataConfig(MEMORY + source.name), self.method, self.cell)
        steps = self.steps
        budget = Budget(seconds=self.seconds) if steps is None else Budget(steps=steps)
        fit = replace(config.fit, select=self.select or self._selected())
        if not self.validation_fraction:
            fit = replace(fit, evaluations=0)
        return replace(config, budget=budget, seed=seed, fit=fit)

    @override
    def __getstate__(self) -> dict[str, Any]:
        """Networks are pickled as on the CPU: who reads them may have no accelerator."""
        state: Any = super().__getstate__()
        own = {"student_": deepcopy(self.student_).cpu()} if "student_" in state else {}
        return state | own

    @override
    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.non_deterministic = self.steps is None  # seconds hold more or fewer steps
        return tags


def _is_plain(value: Any) -> bool:
    try:
        return json.loads(json_text(value)) == (list(value) if isinstance(value, tuple) else value)
    except (TypeError, ValueError):
        return False
