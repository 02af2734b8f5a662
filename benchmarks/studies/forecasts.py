"""Forecasts: students by SMT then DMT and by BPTT, beside naive, seasonal naive and ridge.

    python -m benchmarks.studies.forecasts 30              all rows that are missing
    python -m benchmarks.studies.forecasts 30 hourly       those of one series
    python -m benchmarks.studies.forecasts 30 --methods bptt --seeds 0 1

Seconds of training of each run, on one thread: seconds of CPU time, which are those of an idle core
whatever else the machine does. Series are an hourly one with daily and weekly seasons, whose best
possible forecast is known, and tables of the package vega-datasets. Rows go to
benchmarks/results/forecasts.jsonl: figures of the backtest on the last tenth, of the student alone.
"""

import argparse
import time
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
import torch

import pastforward as pf
from benchmarks.paths import RESULTS
from benchmarks.studies.files import append, read_lines
from pastforward.analysis.forecasts.backtest import STUDENT, Backtest
from pastforward.analysis.forecasts.scores import score

PATH = RESULTS / "forecasts.jsonl"
METHODS, SEEDS = ("smt+dmt", "bptt"), (0, 1, 2)
HOURS, DECAY, NOISE = 24 * 365, 0.9, 0.25
PATHS = 200


class Series(NamedTuple):
    """A table, how it is read, and how far it is forecast."""

    file: str
    """Of vega-datasets; empty for the generated one."""
    horizon: int
    options: pf.SeriesConfig = pf.SeriesConfig()


SERIES = {
    "hourly": Series("", 96),
    "seattle-temps": Series("seattle-temps.csv", 96),
    "sf-temps": Series("sf-temps.csv", 96),
    "seattle-weather": Series("seattle-weather.csv", 14, pf.SeriesConfig(columns=("temp_max",))),
}


def main(seconds: float, names: list[str], methods: list[str], seeds: list[int]) -> None:
    """Make the rows that are missing."""
    for seed in seeds:
        for name in names:
            for method in methods:
                make(name, method, seed, seconds)


def make(name: str, method: str, seed: int, seconds: float) -> None:
    """Train and backtest, unless the row is there; with the first also what needs no network."""
    key = {"series": name, "method": method, "seed": seed, "seconds": seconds}
    rows = read_lines(PATH)
    if any(key.items() <= row.items() for row in rows):
        return
    series = SERIES[name]
    frame = table(series)
    model = pf.Forecaster(
        horizon=series.horizon, method=method, seconds=seconds, options=series.options,
        device="cpu", random_state=seed,
    ).fit(frame)  # fmt: skip
    found = model.backtest()
    command = f"python -m benchmarks.studies.forecasts {seconds:g}"
    for other, scores in others(name, found, frame).items():
        known = any((row["series"], row["method"]) == (name, other) for row in rows)
        if method == METHODS[0] and not known:
            row = {"series": name, "method": other, "seed": 0, "seconds": 0.0}
            append(PATH, command, row | facts(found) | scores)
    append(PATH, command, key | facts(found) | {
        **asdict(found.scores[STUDENT]), "way": found.calibration.way,
        "lag": model.codec_.lag, "T": model.student_.signature.length, "clock": "CPU",
        "by_step": [round(x, 4) for x in found.by_step[STUDENT]],
    })  # fmt: skip


def facts(found: Backtest) -> dict[str, Any]:
    """What all rows of a series share."""
    return {"horizon": found.horizon, "origins": found.origins}


def others(name: str, found: Backtest, frame: pandas.DataFrame) -> dict[str, dict[str, Any]]:
    """Scores without a network by name; of the generated series also the best possible ones."""
    scores = {other: asdict(one) for other, one in found.scores.items() if other != STUDENT}
    if name == "hourly":
        scores["best possible"] = asdict(best_possible(frame["load"].to_numpy(), found.horizon))
    return scores


def table(series: Series) -> pandas.DataFrame:
    """As pandas reads it."""
    if not series.file:
        return hourly()
    path = files("vega_datasets") / "_data" / series.file
    return pandas.read_csv(Path(str(path)))


def seasons() -> np.ndarray:
    """The part of each hour that is known: a day, stronger from Monday to Friday, and a week."""
    hour = np.arange(HOURS)
    day = np.sin(2 * np.pi * hour / 24) + 0.5 * np.cos(4 * np.pi * hour / 24 - 1)
    week = np.where((hour // 24) % 7 < 5, 1.0, 0.4)
    return 100 + 20 * (day * week + 0.5 * (week - 0.8))


def hourly() -> pandas.DataFrame:
    """A year from a Monday on; deviations from the seasons decay by a tenth an hour."""
    random, error = np.random.default_rng(0), np.zeros(HOURS)
    for hour in range(1, HOURS):
        error[hour] = DECAY * error[hour - 1] + NOISE * random.normal()
    dates = pandas.date_range("2023-01-02", periods=HOURS, freq="h")
    return pandas.DataFrame({"date": dates, "load": (seasons() + 20 * error).round(4)})


def best_possible(values: np.ndarray, horizon: int) -> Any:
    """Scores of who knows seasons, decay and noise, from the origins of the backtest."""
    known, test = seasons(), HOURS - HOURS // 10
    origins = np.arange(test, HOURS - horizon + 1, max(1, horizon // 8))
    steps = np.arange(1, horizon + 1)
    decay = DECAY**steps
    spread = 20 * NOISE * np.sqrt((1 - decay**2) / (1 - DECAY**2))
    ahead = origins[:, None] + steps - 1
    mean = known[ahead] + (values - known)[origins - 1][:, None] * decay
    drawn = np.random.default_rng(1).normal(size=(len(origins), PATHS, horizon))
    drawn = mean[:, None] + spread * drawn
    train = values[: HOURS - 2 * (HOURS // 10)]
    scale = np.abs(train[24:] - train[:-24]).mean()
    return score(drawn[..., None], values[ahead][..., None], np.full((len(origins), 1), scale))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seconds", type=float, help="of training of each run")
    parser.add_argument("series", nargs="*", default=list(SERIES), help="names; all by default")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), help="both by default")
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS), help="all by default")
    given = parser.parse_args()
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # the clock of budgets
    main(given.seconds, given.series, given.methods, given.seeds)
