"""Series with dates, gaps, missing values, covariates, and several of them in one table."""

from dataclasses import replace

import numpy as np
import pandas
import pytest

from pastforward.data import SeriesConfig
from pastforward.data.codec import codec_from_json, codec_to_json
from pastforward.data.forecast_codec import ForecastCodec, filled
from pastforward.data.relative import chosen_lag, relative_codec
from pastforward.data.series_tables import series_source
from pastforward.data.tables import frame_table
from pastforward.errors import UsageError
from pastforward.types import Quantiles, StudentT

RANDOM = np.random.default_rng(0)
HOURS = pandas.date_range("2025-01-06", periods=600, freq="h")
DAY = np.sin(np.arange(600) / 24 * 2 * np.pi)
FRAME = pandas.DataFrame(
    {"date": HOURS.astype(str), "load": 9 + DAY + 0.1 * RANDOM.normal(size=600)}
)


def source_of(frame=FRAME, length=None, **options):
    return series_source(frame_table(frame, "t"), SeriesConfig(**options), length)


def test_inputs_and_outputs_by_hand():
    z, known = RANDOM.normal(size=(40, 1)), RANDOM.normal(size=(41, 2))
    codec = ForecastCodec(
        ("a",),
        ("",),
        ((0.0,),),
        ((1.0,),),
        lag=3,
        change=(2.0,),
        decay=(0.5,),
        error=(4.0,),
        seasons=(3, 5),
        marked=True,
    )
    x = codec.inputs(z, known, np.arange(40) != 20)
    y = codec.outputs(z[codec.first + 1 :], z[:-1])
    assert codec.first == 5
    assert x.shape == (35, codec.width(2))
    for step, t in enumerate(range(5, 40)):
        wanted = [(z[t] - z[t - 3]) / 2, z[t] - z[t - 4 : t + 1].mean(), z[t - 2] - z[t]]
        wanted += [z[t - 4] - z[t], z[t - 5] - z[t], known[t + 1], [float(t == 20)]]
        np.testing.assert_allclose(x[step], np.concatenate(wanted))
        if t < 39:
            reference = z[t - 2] + 0.5 * (z[t] - z[t - 3])
            np.testing.assert_allclose(y[step], (z[t + 1] - reference) / 4)
    np.testing.assert_allclose(codec.following(y, z[:-1]), z[6:])


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_rows_ahead_are_filled_by_their_references(lag):
    codec = ForecastCodec(("a",), ("",), ((0.0,),), ((1.0,),), lag, *3 * ((0.7,),))
    z = RANDOM.normal(size=(2, 20, 1))
    found, wanted = codec.unseen(z, np.array([9, 15])), z.copy()
    for one, origin in enumerate((9, 15)):
        for row in range(origin + 1, 20):
            change = wanted[one, row - 1] - wanted[one, row - 1 - lag]
            wanted[one, row] = wanted[one, row - lag] + 0.7 * change if lag else 0.0
    np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [("last", [1, 2, 2, 2, 5]), ("season", [1, 2, 1, 2, 5]), ("mean", [1, 2, 7, 7, 5])],
)
def test_missing_values_by_a_rule(rule, wanted):
    values = np.array([[1.0], [2.0], [np.nan], [np.nan], [5.0]])
    assert filled(values, rule, 2, np.array([7.0]))[:, 0].tolist() == wanted
    values[0] = np.nan
    assert filled(values, rule, 2, np.array([7.0]))[0, 0] == 7.0


def test_missing_rows_count_nowhere_and_later_values_change_no_earlier_input():
    frame = FRAME.drop(index=range(590, 595))
    source, whole = source_of(frame, 24, relative="24"), source_of(length=24, relative="24")
    assert source.panel.gaps == source.panel.missing == 5
    assert "5 rows left out" in source.describe()["dates"]
    masks = [sum(int(b.mask.sum()) for b in s.held_out("test", 8, 99)) for s in (source, whole)]
    assert masks[1] - masks[0] == 10  # once where they are seen, once where none is
    for one in (source, whole):
        assert all(b.x.isfinite().all() for b in one.held_out("test", 8, 99))
    assert codec_from_json(codec_to_json(source.codec)) == source.codec


def test_half_of_the_windows_see_nothing_from_some_step_on():
    source = source_of(length=48, relative="24")
    x, _, mask = source.batch(0, 0, 64)
    marks = x[..., -1].numpy()
    assert set(np.unique(marks)) == {0.0, 1.0}
    blind = marks.any(1)
    assert 0.3 < blind.mean() < 0.7
    assert (np.diff(marks[blind], axis=1) >= 0).all()
    assert not marks[:, :12].any()
    assert mask.all()
    # A row that isn't seen is filled by its reference: it is no further from it.
    assert (x[..., 0].numpy()[marks == 1] == 0).all()


def test_the_reference_is_the_best_on_validation_rows():
    noise = np.random.default_rng(0).normal(size=600)
    plain = {"calendar": ("none",), "seasons": (7,)}
    walk = pandas.DataFrame({"date": HOURS.astype(str), "v": (noise + 1).cumsum()})
    steady = pandas.DataFrame({"date": HOURS.astype(str), "v": noise})
    assert source_of(walk, **plain).codec.lag in (1, 7)
    assert source_of(steady, **plain).codec.lag == 0
    source = source_of()
    lag, errors = chosen_lag(source.codec, source.panel)
    assert errors[lag] <= 1.02 * min(errors.values())
    assert set(errors) == {0, 1, 24}
    assert relative_codec(source.codec, source.panel, 0).change == ()
    assert source_of(relative="last").codec.lag == 1


def test_frequencies_seasons_and_calendars():
    def read(dates, **options):
        frame = pandas.DataFrame({"when": dates.astype(str), "v": RANDOM.normal(size=len(dates))})
        codec = source_of(frame, relative="none", **options).codec
        return codec.frequency, codec.seasons, codec.calendar

    make = pandas.date_range
    assert read(make("2025-01-01", periods=700, freq="h")) == ("h", (24, 168), ("hour", "weekday"))
    assert read(make("2025-01-01", periods=300, freq="D")) == ("D", (7,), ("weekday",))
    assert read(make("2020-01-01", periods=900, freq="D"))[2] == ("weekday", "yearday")
    assert read(make("2025-01-01", periods=300, freq="B"))[:2] == ("B", (5,))
    assert read(make("2010-01-01", periods=99, freq="MS")) == ("MS", (12,), ("month",))
    assert read(make("2010-01-31", periods=99, freq="ME")) == ("ME", (12,), ("month",))
    assert read(make("2000-01-01", periods=60, freq="3MS"))[:2] == ("3MS", (4,))
    assert read(make("2025-01-01", periods=900, freq="15min"))[:2] == ("15min", (96,))
    assert read(make("2025-01-01", periods=700, freq="h"), calendar=("hour",))[2] == ("hour",)


def panel(**changed):
    parts = []
    for number, shop in enumerate(("north", "south")):
        days = pandas.date_range("2025-01-01", periods=150 + 10 * number).astype(str)
        count = len(days)
        parts.append(pandas.DataFrame({
            "day": days, "shop": shop, "kind": ("small", "large")[number], "size": 10 * number,
            "price": RANDOM.normal(size=count), "sold": 50.0 * number + RANDOM.normal(size=count),
        }))  # fmt: skip
    return pandas.concat(parts).assign(**changed)


WITH_SHOPS = {
    "series": "shop", "columns": ("sold",), "known": ("price",), "static": ("kind", "size"),
    "relative": "none", "calendar": ("none",), "seasons": (2,),
}  # fmt: skip


def test_several_series_with_covariates_and_static_columns():
    source = source_of(panel(), 12, **WITH_SHOPS)
    assert source.codec.series == ("north", "south")
    assert source.codec.static_words == (("large", "small"), ())
    assert source.codec.mean[1][0] - source.codec.mean[0][0] == pytest.approx(50, abs=1)
    # Value, the season once and twice, price, two kinds, size, the mark.
    x = source.batch(0, 0, 32).x.numpy()
    assert x.shape[-1] == 8
    assert {tuple(row) for row in x[..., 4:7].reshape(-1, 3).tolist()} == {(0, 1, 0), (1, 0, 10)}
    assert source.describe()["rows"] == {"train": 248, "valid": 31, "test": 31}
    assert source.describe()["series"] == "2, by column 'shop'"


def test_heads():
    assert source_of(head="student-t").signature.outputs == StudentT(1)
    assert source_of(quantiles=(0.1, 0.9)).signature.outputs == Quantiles(1, (0.1, 0.9))


def changed_dates(where, by):
    dates = HOURS.to_series().reset_index(drop=True)
    dates[where:] += pandas.Timedelta(by)
    return FRAME.assign(date=dates.astype(str))


TWO = FRAME.assign(date=[*HOURS[:300].astype(str), *HOURS[300:].astype(str)])


@pytest.mark.parametrize(
    ("frame", "options", "said"),
    [
        (changed_dates(300, "-5h"), {}, "dates that don't rise: 2025-01-18 07:00:00 comes after"),
        (changed_dates(300, "-1h"), {}, "comes twice; sort the rows, or name .* --data.series"),
        (changed_dates(300, "20min"), {}, "lies between two of them; give rows at one regular"),
        (pandas.concat([FRAME[:300], FRAME[300::6]]), {}, "two frequencies: steps of 0 days 06:00"),
        (FRAME[:8], {}, "8 rows long, too short for windows of 4 steps"),
        (FRAME[:100], {"length": 90}, "give a length of at most 79 or more rows|at most"),
        (FRAME.assign(load=np.nan), {}, "holds no value in the training rows"),
        (FRAME, {"time": "load"}, "column 'load' that are no dates"),
        (FRAME.assign(date="1.265 -2.531"), {}, "'1.265 -2.531' .* where a number belongs"),
        (FRAME, {"time": "when"}, "no column 'when'"),
        (FRAME, {"series": "shop"}, "no column 'shop'"),
        (FRAME.drop(index=9), {"missing": "refuse"}, "lacks 1 values, 1 rows among them"),
        (FRAME[["load"]], {"calendar": ("hour",)}, "which has no dates"),
        (panel(size=range(310)), WITH_SHOPS, "150 values in the static column 'size' of ser"),
        (panel(), {"columns": ("sold",)}, "comes after .* --data.series"),
    ],
)  # fmt: skip
def test_bad_series(frame, options, said):
    with pytest.raises(UsageError, match=said):
        source_of(frame.reset_index(drop=True), **options)


@pytest.mark.parametrize(
    "given",
    [
        {"missing": "zero"}, {"head": "cauchy"}, {"relative": "first"}, {"seasons": (1,)},
        {"calendar": ("hours",)}, {"quantiles": (0.9, 0.1)},
    ],
)  # fmt: skip
def test_bad_dials(given):
    with pytest.raises(UsageError, match=f"--data.{next(iter(given))}"):
        SeriesConfig(**given)


def test_a_saved_codec_reads_other_rows_alike():
    first = source_of()
    other = series_source(frame_table(FRAME[:500], "t"), SeriesConfig(), None, first.codec)
    np.testing.assert_allclose(other.encoded[0].z, first.encoded[0].z[:500])
    daily = FRAME.assign(date=pandas.date_range("2025-01-01", periods=600).astype(str))
    with pytest.raises(UsageError, match=r"two frequencies|not every"):
        series_source(frame_table(daily, "t"), SeriesConfig(), None, first.codec)
    with pytest.raises(UsageError, match="columns b, not those of the codec given, load"):
        replace_columns(first)


def replace_columns(source):
    from pastforward.data.series import SeriesSource

    SeriesSource("t", RANDOM.normal(size=(300, 1)), ("b",), codec=replace(source.codec, lag=0))
