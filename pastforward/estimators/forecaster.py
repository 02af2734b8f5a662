"""L6. Forecasts of series, pandas in and out."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from rich.console import Console
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from pastforward.analysis.forecasts.backtest import Backtest, Origins, backtest, calibrate
from pastforward.analysis.forecasts.calibration import Calibration
from pastforward.analysis.forecasts.futures import Future, default_horizon, frame_of, futures
from pastforward.cells import StudentConfig
from pastforward.config import Budget
from pastforward.data import DataConfig, SeriesConfig
from pastforward.data.encoded import Encoded, encode
from pastforward.data.forecast_codec import ForecastCodec
from pastforward.data.opening import MEMORY
from pastforward.data.series import SeriesSource
from pastforward.data.series_tables import panel_of, series_source
from pastforward.data.tables import Table, frame_table
from pastforward.errors import UsageError
from pastforward.estimators.devices import device_of
from pastforward.estimators.history import History
from pastforward.files import from_json, to_json
from pastforward.recipes.resolve import for_source
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.student import Student
from pastforward.student_file import load_student, read_description, save_student
from pastforward.training.fit import FitContext, fit_stages
from pastforward.training.progress import progress

_SEEDS = 2**31 - 1


@final
class Forecaster(BaseEstimator):
    """A recurrent network that forecasts series.

    Parameters:
        horizon: rows ahead that `predict` and `backtest` look by default, and that forecasts are
            calibrated for; two of the shortest seasons when None.
        cell, method, device, verbose: as of `SequenceClassifier`.
        seconds, steps: budget of training; seconds where `steps` is None.
        length: steps of a training window; chosen from the data when None.
        options: a `SeriesConfig`: columns, dates, several series, covariates, seasons, reference.
        random_state: seed, or a `RandomState`.

    Attributes:
        student_: the network; the teacher is discarded.
        codec_: columns, scales, reference, seasons.
        calibration_: how forecasts are drawn and how wide they are, by validation rows.
        history_: rows of losses, as dicts.
    """

    student_: Student
    codec_: ForecastCodec
    calibration_: Calibration
    history_: list[dict[str, Any]]

    def __init__(  # noqa: PLR0913 (scikit-learn: a parameter each)
        self, *, horizon: int | None = None, cell: str = "mlp", method: str = DEFAULT_STRATEGY,
        seconds: float = 60.0, steps: int | None = None, length: int | None = None,
        options: SeriesConfig | None = None, device: str | None = None,
        random_state: int | np.random.RandomState | None = None, verbose: int = 0,
    ) -> None:  # fmt: skip
        self.horizon = horizon
        self.cell = cell
        self.method = method
        self.seconds = seconds
        self.steps = steps
        self.length = length
        self.options = options
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on a `pandas.DataFrame` or `Series`, or numbers `[N]` or `[N, C]`, oldest first.

        Dates are an index or a column. `y` is not used. Raises `UsageError` for what can't be read,
        and `NonFiniteLoss`.
        """
        source = series_source(_table(X), self._read_as, self.length)
        seed = int(check_random_state(self.random_state).randint(_SEEDS))
        config = for_source(source, DataConfig(MEMORY + source.name), self.method, self.cell)
        budget = Budget(seconds=self.seconds) if self.steps is None else Budget(steps=self.steps)
        config, history = replace(config, budget=budget, seed=seed), History()
        if self.verbose > 0:
            with progress(config, Console(stderr=True)) as bars:
                context = FitContext(device_of(self.device), callbacks=[history, bars])
                network = fit_stages(config, source, context)
        else:
            context = FitContext(device_of(self.device), callbacks=[history])
            network = fit_stages(config, source, context)
        assert isinstance(network, Student)
        self.student_, self.student_config_ = network.eval(), config.student
        self.codec_, self.history_, self._source = source.codec, history.rows, source
        self.calibration_ = calibrate(self.student_, source, self._asked(None))
        return self

    def predict(
        self,
        horizon: int | None = None,
        X: Any = None,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    ) -> Any:
        """A `pandas.DataFrame` of means and quantiles, a row for each column of each row ahead.

        It goes on from the end of `X`, as `fit` takes it, or of what was fitted when None. Raises
        `UsageError` where `X` can't be read as that was.
        """
        return frame_of(self._futures(self._asked(horizon), X), self.codec_, quantiles)

    def sample(self, horizon: int | None = None, count: int = 100, X: Any = None) -> np.ndarray:
        """Paths `[series, count, horizon, C]`; of one series `[count, horizon, C]`."""
        found = self._futures(replace(self._asked(horizon), paths=count), X)
        drawn = np.stack([one.drawn for one in found])
        return drawn if self.codec_.by else drawn[0]

    def backtest(self, horizon: int | None = None, stride: int | None = None) -> Backtest:
        """Forecasts of the last tenth of what was fitted, beside rivals without a network.

        `.scores` has MAE, MSE, MASE, CRPS and coverage by name. Raises `UsageError` where those
        rows are fewer than the horizon, and after `load`, which has no data.
        """
        asked = replace(self._asked(horizon), stride=stride)
        given = None if horizon not in (None, self._asked(None).horizon) else self.calibration_
        return backtest(self.student_, self._fitted(), asked, given)

    def save(self, path: Path | str) -> None:
        """Write one safetensors file, without the data; `load` reads it."""
        check_is_fitted(self)
        parameters = {k: to_json(v) for k, v in self.get_params().items() if k != "random_state"}
        extra = {
            "estimator": type(self).__name__,
            "parameters": parameters,
            "calibration": asdict(self.calibration_),
        }
        save_student(path, self.student_, self.student_config_, self.codec_, extra)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """What `save` wrote, able to predict from an X; nothing is unpickled."""
        student, codec = load_student(path)
        description = read_description(path)
        extra = description["extra"]
        if extra.get("estimator") != cls.__name__ or not isinstance(codec, ForecastCodec):
            written = extra.get("estimator", "no estimator")
            raise UsageError(f"'{path}' was saved by {written}; give a file of a {cls.__name__}.")
        given = dict(extra["parameters"])
        if given["options"] is not None:
            given["options"] = from_json(SeriesConfig, given["options"])
        self = cls(**given)
        self.student_, self.codec_, self.history_ = student, codec, []
        self.student_config_ = from_json(StudentConfig, description["config"])
        self.calibration_ = from_json(Calibration, extra["calibration"])
        return self

    @property
    def _read_as(self) -> SeriesConfig:
        return self.options or SeriesConfig()

    def _asked(self, horizon: int | None) -> Origins:
        check_is_fitted(self)
        return Origins(horizon or self.horizon or default_horizon(self.codec_))

    def _fitted(self) -> SeriesSource:
        if "_source" not in vars(self):
            raise UsageError("A loaded Forecaster has no data; give X, or fit it again.")
        return self._source

    def _futures(self, asked: Origins, X: Any) -> list[Future]:
        encoded: Sequence[Encoded]
        if X is None:
            encoded = self._fitted().encoded
        else:
            panel = panel_of(_table(X), self._read_as, self.codec_)
            encoded = [encode(self.codec_, one) for one in panel.series]
        return futures(self.student_, self.codec_, encoded, asked, self.calibration_)

    def __getstate__(self) -> dict[str, Any]:
        """Networks are pickled as on the CPU: who reads them may have no accelerator."""
        state: Any = super().__getstate__()
        return state | ({"student_": self.student_.cpu()} if "student_" in state else {})


def _table(X: Any) -> Table:
    """X as a table in memory."""
    import pandas

    if not isinstance(X, pandas.DataFrame | pandas.Series):
        rows = np.asarray(X)
        if rows.ndim not in (1, 2) or rows.dtype.kind not in "iuf":
            raise UsageError(
                f"X has shape {rows.shape} and type {rows.dtype}; give numbers [N] or [N, C], or a "
                "pandas frame."
            )
        rows = rows.reshape(len(rows), -1)
        X = pandas.DataFrame(rows, columns=[str(i + 1) for i in range(rows.shape[1])])
    return frame_table(X, "X")
