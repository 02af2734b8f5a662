"""Forecasts against slow references: samples, scores, rivals, calibration."""

import numpy as np
import pandas
import pytest
import torch

from pastforward.analysis.forecasts.backtest import STUDENT, Origins, backtest, calibrate
from pastforward.analysis.forecasts.calibration import Calibration, spread_of
from pastforward.analysis.forecasts.futures import frame_of, futures
from pastforward.analysis.forecasts.rivals import rivals, truth
from pastforward.analysis.forecasts.scores import crps, naive_scale, score
from pastforward.cells import StudentConfig
from pastforward.data import SeriesConfig
from pastforward.data.series_tables import series_source
from pastforward.data.tables import frame_table
from pastforward.errors import UsageError
from pastforward.inference.forecast import History, coupled, marginals, stream_paths
from pastforward.inference.sampling import PLAIN, draw
from pastforward.outputs import most_likely, output_loss
from pastforward.report.forecast_charts import fan
from pastforward.report.sparkline import future_lines, sparkline
from pastforward.student import build_student
from pastforward.types import Quantiles, StudentT, Vectors

RANDOM = np.random.default_rng(0)
HOURS = pandas.date_range("2025-01-06", periods=900, freq="h")
DAY = np.sin(np.arange(900) / 24 * 2 * np.pi)
FRAME = pandas.DataFrame({"date": HOURS, "load": 9 + DAY + 0.1 * RANDOM.normal(size=900)})
FRAME["load"] = FRAME["load"].where(RANDOM.random(900) > 0.02)


def made(**options):
    source = series_source(frame_table(FRAME, "t"), SeriesConfig(**options), 30)
    torch.manual_seed(0)
    config = StudentConfig("gru", width=6, embed=4, hidden=8)
    return build_student(config, source.signature).eval(), source


def history_of(source, origin):
    one = source.encoded[0]
    back = source.codec.first + 30
    parts = one.z[None, origin - back : origin], one.ahead[None, origin - back : origin + 40]
    return History(*parts, one.seen[None, origin - back : origin])


@pytest.mark.parametrize("options", [{}, {"relative": "none"}, {"head": "student-t"}])
def test_rows_by_themselves_are_those_of_a_stream_that_sees_none(options):
    student, source = made(**options)
    codec, history = source.codec, history_of(source, 700)
    parameters, references = marginals(student, codec, history, 30)
    m = student.start(1)
    z, seen = history.z[0], history.seen[0]
    for step in range(len(z) - codec.first + 29):
        t = codec.first + step
        if t >= len(z):
            z = np.concatenate([z, reference(codec, z)])
            seen = np.append(seen, False)
        x = codec.inputs(z[: t + 1], history.ahead[0], seen[: t + 1])[-1]
        m = student.step(m, torch.from_numpy(x[None].astype(np.float32)))
        if t + 1 >= len(history.z[0]):
            ahead = t + 1 - len(history.z[0])
            torch.testing.assert_close(student.readout(m)[0], parameters[0, ahead])
            np.testing.assert_allclose(references[0, ahead], reference(codec, z[: t + 1])[0])


def reference(codec, z):
    """Of the row that follows z."""
    if not codec.lag:
        return np.zeros((1, 1))
    change = z[[-1]] - z[[-1 - codec.lag]]
    return z[[-codec.lag]] + np.array(codec.decay) * change


def test_paths_read_what_they_drew():
    student, source = made()
    codec, history = source.codec, history_of(source, 700)
    path = stream_paths(student, codec, history, 12, 1, torch.Generator().manual_seed(3))[0, 0]
    z = np.concatenate([history.z[0], path])
    seen = np.concatenate([history.seen[0], np.ones(12, bool)])
    x = codec.inputs(z[:-1], history.ahead[0], seen[:-1])
    parameters = student(torch.from_numpy(x[None].astype(np.float32)))[0][0, -12:]
    generator = torch.Generator().manual_seed(3)
    noise = torch.cat([torch.randn(1, 1, generator=generator) for _ in range(12)])
    y = draw(Vectors(1), parameters, noise, torch.tensor(1.0), PLAIN)
    np.testing.assert_allclose(codec.following(y.detach().numpy(), z[:-1]), path, atol=1e-4)


def test_coupled_rows_keep_their_values_and_follow_the_paths():
    rows, paths = RANDOM.normal(size=(2, 50, 7, 1)), RANDOM.normal(size=(2, 50, 7, 1))
    found = coupled(rows, paths)
    np.testing.assert_allclose(np.sort(found, 1), np.sort(rows, 1))
    assert (found.argsort(1) == paths.argsort(1)).all()


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (StudentT(1), [0.5, -0.7, 1.0]), (Vectors(1), [0.5, -0.7]),
        (Quantiles(1, (0.1, 0.5, 0.9)), [-1.0, 0.3, 1.5]),
    ],
)  # fmt: skip
def test_draws_are_of_the_distribution(kind, parameters):
    """The draws have the least mean loss at their own parameters, nearly."""
    generator = torch.Generator().manual_seed(0)
    width = 2 if isinstance(kind, StudentT) else 1
    noise = torch.randn(40_000, width, generator=generator, dtype=torch.float64)
    own = torch.tensor(parameters, dtype=torch.float64).expand(40_000, -1)
    y = draw(kind, own, noise, torch.tensor(1.0), PLAIN)
    loss = output_loss(kind, own, y).mean()
    for place in range(len(parameters)):
        far = 2.0 if place == 2 and width == 2 else 0.2  # tails tell little of their freedom
        for shift in (-far, far):
            other = own.clone()
            other[:, place] += shift
            assert output_loss(kind, other, y).mean() > loss
    assert float((y < most_likely(kind, own)).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_crps_by_brute_force():
    drawn, real = RANDOM.normal(size=(3, 20, 4, 2)), RANDOM.normal(size=(3, 4, 2))
    pairs = np.abs(drawn[:, :, None] - drawn[:, None]).sum((1, 2)) / (20 * 19)
    wanted = np.abs(drawn - real[:, None]).mean(1) - pairs / 2
    np.testing.assert_allclose(crps(drawn, real), wanted)


def test_scores_by_hand():
    drawn = np.array([0.0, 1.0, 2.0, 9.0]).reshape(1, 4, 1, 1) + np.zeros((1, 4, 3, 1))
    real = np.array([1.0, 20.0, np.nan]).reshape(1, 3, 1)
    found = score(drawn, real, np.full((1, 1), 2.0))
    assert found.mae == pytest.approx((0.5 + 18.5) / 2)
    assert found.mse == pytest.approx((2.0**2 + 17.0**2) / 2)
    assert found.mase == pytest.approx(found.mae / 2)
    assert found.coverage == 0.5
    values = np.array([[1.0], [2.0], [4.0], [np.nan], [9.0]])
    assert naive_scale(values, 0)[0] == pytest.approx(1.5)
    assert naive_scale(values, 2)[0] == pytest.approx((3 + 5) / 2)


def test_rivals():
    _, source = made()
    (one,) = source.encoded
    found = rivals([one], 24, 30, 48)
    origins = np.array([800, 820])
    naive, seasonal = (found[name].forecast(one, origins) for name in ("naive", "seasonal naive"))
    for place, origin in enumerate(origins):
        np.testing.assert_allclose(naive[place], one.z[origin - 1] + np.zeros((30, 1)))
        for step in range(30):
            wanted = one.z[origin + step - 24 * (1 + step // 24)]
            np.testing.assert_allclose(seasonal[place, step], wanted)
    errors = [np.nanmean(np.abs(found[n].forecast(one, origins) - truth(one, origins, 30)))
              for n in found]  # fmt: skip
    assert errors[2] < errors[1] < errors[0]  # a sine and noise: a linear map of 48 rows has it
    for rival in found.values():
        drawn = rival.sample(one, origins)
        assert drawn.shape == (2, 99, 30, 1)
        assert np.isfinite(drawn).all()


def test_spread_makes_central_intervals_hold_their_share():
    drawn, real = RANDOM.normal(size=(400, 60, 8, 1)), 2.5 * RANDOM.normal(size=(400, 8, 1))
    factors = spread_of(drawn, real)
    assert np.allclose(factors, 2.5, rtol=0.15)
    wide = Calibration(spread=factors).applied(drawn)
    assert score(wide, real, np.ones((400, 1))).coverage == pytest.approx(0.8, abs=0.03)
    kept = Calibration(spread=(1.0, 2.0)).applied(drawn)
    np.testing.assert_allclose(kept[:, :, 0], drawn[:, :, 0])
    np.testing.assert_allclose(np.median(kept, 1), np.median(drawn, 1))


def test_backtest_of_an_untrained_student():
    student, source = made()
    found = backtest(student, source, Origins(24, stride=11, paths=20))
    assert found.origins == len(range(810, 900 - 24 + 1, 11))
    assert list(found.scores) == [STUDENT, "naive", "seasonal naive", "ridge"]
    assert all(np.isfinite(list(vars(one).values())).all() for one in found.scores.values())
    assert found.calibration == calibrate(student, source, Origins(24, stride=11, paths=20))
    assert [len(steps) for steps in found.by_step.values()] == [24] * 4
    with pytest.raises(UsageError, match=r"No series has 91 rows .* last 10% \(900 rows in all\)"):
        backtest(student, source, Origins(91))


def test_missing_rows_of_the_test_part_change_no_score_of_others():
    student, source = made()
    mended = FRAME.ffill()
    whole = series_source(frame_table(mended, "t"), SeriesConfig(), 30, source.codec)
    asked, one = Origins(24, stride=11, paths=20), source.encoded[0]
    ours, theirs = (truth(s.encoded[0], np.array([810]), 80) for s in (source, whole))
    assert np.isnan(ours).sum() == (~one.seen[810:890]).sum() > 0
    np.testing.assert_allclose(theirs[~np.isnan(ours)], ours[~np.isnan(ours)])
    assert backtest(student, source, asked, Calibration()).scores["naive"].mae > 0


def test_futures_in_the_units_of_the_data():
    student, source = made()
    found = futures(student, source.codec, source.encoded, Origins(10, paths=30), Calibration())
    assert found[0].drawn.shape == (30, 10, 1)
    frame = frame_of(found, source.codec, (0.1, 0.9))
    assert list(frame) == ["date", "column", "mean", "0.1", "0.9"]
    assert frame["date"][0] == pandas.Timestamp("2025-02-12 12:00")
    assert (frame["0.1"] < frame["0.9"]).all()
    assert len(fan(found, (0.1, 0.5, 0.9)).axes) == 1
    (line,) = future_lines(found)
    assert line.startswith("load  ")
    assert line.count("|") == 1


def test_sparklines():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, 1, np.nan]) == "▁▁ "
    assert sparkline([np.nan]) == " "
    assert len(sparkline(range(1000), 20)) == 20
