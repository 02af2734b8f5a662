import base64
import io
import re
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from pastforward.analysis.samples import ImageSamples
from pastforward.errors import UsageError
from pastforward.report.charts import Curve, chart, cut_above, png, save_images, svg, tile, tint
from pastforward.report.formats import number, percent, seconds_text, size_text
from pastforward.report.run_page import write_report
from pastforward.report.summary import RunSummary, best, cells, results
from pastforward.report.tables import Line, Table, results_table


def score(nats):
    bits = None if nats is None else nats / 0.6931
    return {
        "nats": nats, "error": 0.01, "bits": bits, "accuracy": 0.5,
        "by_position": [nats, None, nats],
    }  # fmt: skip


def summary(name, nats, teacher=None, samples=None, calls=0) -> RunSummary:
    drift = {
        "mse": [0.0, 0.1],
        "relative": [0.0, 0.2],
        "one_step": 0.0321,
        "by_slot": [0.0321],
        "variance": 0.5,
    }
    meter = {"rank": 7.7, "similarity": 0.123}
    evaluation = {
        "split": "test", "sequences": 3, "outputs": 9000, "student": score(nats),
        "teacher": score(teacher) if teacher else None,
        "references": {"uniform": 2.8332, "unigram": 2.0588},
        "drift": drift if teacher else None, "collapse": {"student": meter},
    }  # fmt: skip
    metrics = [{"seconds": float(s), "step": s, "loss": 1.0} for s in range(9)]
    metrics += [{"seconds": float(s), "step": s, "valid": 3.0 / s} for s in range(1, 9)]
    config = {"data": {"source": "digits"}, "mark": f"config-of-{name}"}
    facts = {
        "parameters": 12345, "seconds": 61.0, "serial_calls": calls, "hardware": "2 test cores",
        "config": config,
    }  # fmt: skip
    return RunSummary(name, evaluation, metrics, facts, samples)


def printed(table) -> str:
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def images() -> ImageSamples:
    generator = np.random.default_rng(0)
    return ImageSamples(*generator.random((3, 4, 2, 3)), given=3)


@pytest.fixture
def runs():
    return [
        summary("bptt", 1.1111, samples="<script>alert('no')</script> & text", calls=64),
        summary("smt-lost", 9.8765, 1.2345, images(), {"teacher": 0, "smt": 1}),
        summary("smt-dmt", 1.2222, 1.2345, images(), {"teacher": 0, "smt": 1, "dmt": 72}),
        summary("diverged", None),
    ]


@pytest.fixture
def page(runs, tmp_path):
    out = write_report(runs, tmp_path / "report.html")
    assert out == tmp_path / "report.html"
    return out.read_text("utf-8")


def test_page_loads_nothing(page):
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"<(script|link|iframe|object|embed)\b", page)
    assert "@import" not in page
    assert "url(" not in re.sub(r"url\(#\w+\)", "", page)
    for source in re.findall(r'src="([^"]*)"', page):
        assert source.startswith("data:image/png;base64,")
    for target in re.findall(r'href="([^"]*)"', page):
        assert target.startswith("#")


def test_page_shows_every_run(page, runs):
    for row in results(runs):
        for cell in cells(row):
            assert cell in page
    for shown in ("1.1111", "9.8765", "1.2222", "1.2345", "2.0588", "2.8332", "12,345"):
        assert shown in page
    for shown in ("0, 1, 72", "7.7", "0.123", "3.2%", "2 test cores", "9,000"):
        assert shown in page
    for run in runs:
        assert f"config-of-{run.name}" in page


def test_page_shows_curves_and_samples(page):
    assert page.count("<svg") == page.count("</svg>") == 3
    assert "dotted: unigram reference" in page
    for title in ("Learning", "Drift", "Loss by position", "Collapse meter"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<img") == 6
    assert "&lt;script&gt;" in page
    content = re.findall(r"base64,([^\"]*)", page)[0]
    assert base64.b64decode(content).startswith(b"\x89PNG")


def test_run_without_curves_has_a_page(tmp_path):
    bare = RunSummary("bare", summary("bare", 1.5).evaluation)
    text = write_report([bare], tmp_path / "r.html").read_text("utf-8")
    assert "1.5000" in text
    assert text.count("<svg") == 1


def test_no_run_and_no_place(runs, tmp_path):
    with pytest.raises(UsageError, match="No run"):
        write_report([], tmp_path / "r.html")
    with pytest.raises(UsageError, match="could not be written"):
        write_report(runs, tmp_path / "absent" / "r.html")


def test_results_are_in_order_and_the_best_is_found(runs):
    rows = results(runs)
    assert [row.name for row in rows] == [
        "bptt", "smt-lost", "smt-dmt", "diverged", "teacher of smt-lost, smt-dmt",
        "unigram reference", "uniform reference",
    ]  # fmt: skip
    winner = best(rows)
    assert winner is not None
    assert winner.name == "bptt"
    assert winner.bits == pytest.approx(1.1111 / np.log(2))
    assert cells(rows[1])[6] == "8.0x"
    assert cells(rows[2])[6] == "-1.0%"
    assert cells(rows[3])[1] == "-"


def test_references_of_one_loss_share_a_row():
    run = summary("one", 1.5)
    run.evaluation["references"] = {"best": 0.1, "uniform": 2.0794, "unigram": 2.07941}
    names = [row.name for row in results([run])]
    assert names == ["one", "best possible", "unigram reference"]


def test_table_fits_a_console(runs):
    text = printed(results_table(runs))
    for shown in ("1.1111", "9.8765", "1.2222", "1.2345", "2.0588", "12,345", "0, 1, 72"):
        assert shown in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_names_are_no_markup():
    table = Table(("name", "n"), [Line(("[red]x[/]", "1"))])
    assert "[red]x[/]" in printed(table)


def test_columns_without_a_value_are_left_out():
    table = Table(("name", "a", "b"), [Line(("x", "-", "1")), Line(("y", "", "-"))], names=2)
    found = table.without_empty()
    assert (found.head, found.names) == (["name", "b"], 1)
    assert [line.cells for line in found.lines] == [["x", "1"], ["y", "-"]]


def test_numbers_as_text():
    assert [number(1234.5, 1), number(None, 2)] == ["1,234.5", "-"]
    assert [percent(0.1234), percent(0.5, 0), percent(None)] == ["12.3%", "50%", "-"]
    durations = [seconds_text(s) for s in (None, -1.0, 2.345, 60, 900, 9000)]
    assert durations == ["-", "0 s", "2.35 s", "60 s", "15 min", "2.5 h"]
    assert [size_text(n) for n in (12, 1500, 2e12)] == ["12 bytes", "1.5 kB", "2 TB"]


def test_svg_takes_the_colours_of_the_page():
    text = svg(chart([Curve([0.0, 1.0], [1.0, float("nan")], "#3b82f6")], "x", "y"))
    assert text.startswith("<svg")
    for name, colour in (("soft", "#667085"), ("line", "#e4e7ec")):
        assert f"var(--{name})" in text
        assert colour not in text
    assert "http" not in text


def test_figures_do_not_leak_and_need_no_display():
    settings = ("svg.fonttype", "svg.hashsalt")
    before = [mpl.rcParams[name] for name in settings]
    for _ in range(25):
        svg(chart([Curve(range(3), [1.0, 2.0, 3.0], "#3b82f6")], "x", "y", [2.0]))
    assert [mpl.rcParams[name] for name in settings] == before
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_a_chart_is_cut_above_the_reference():
    figure = chart([Curve(range(3), [1.0, 2.0, 99.0], "#3b82f6")], "x", "y", [2.0])
    cut_above(figure, [])
    assert figure.axes[0].get_ylim()[1] > 99.0
    cut_above(figure, [2.0])
    assert figure.axes[0].get_ylim()[1] == 3.0
    flat = chart([Curve(range(3), [1.0, 2.0, 2.5], "#3b82f6")], "x", "y", [2.0])
    before = flat.axes[0].get_ylim()
    cut_above(flat, [2.0])
    assert flat.axes[0].get_ylim() == before


def test_tile_places_images_with_clear_gaps():
    found = tile(np.arange(6).reshape(3, 2, 1) / 10, scale=2, columns=2)
    assert found.shape == (2 * (4 + 2) - 2, 2 * (2 + 2) - 2, 4)
    assert found[0, 0].tolist() == [0.0, 0.0, 0.0, 1.0]
    assert found[3, 5].tolist() == [0.3, 0.3, 0.3, 1.0]
    assert found[6, 1].tolist() == [0.4, 0.4, 0.4, 1.0]
    assert found[0, 2, 3] == 0.0
    assert found[9, 5, 3] == 0.0


def test_given_pixels_are_tinted():
    samples = images()
    found = tint(samples)
    assert found.shape == (4, 2, 3, 3)
    assert np.array_equal(found[:, 1, :, 0], samples.completed[:, 1])
    assert (found[:, 0, :, 2] > found[:, 0, :, 0]).all() or (samples.completed[:, 0] == 0).any()


def test_images_are_saved(tmp_path):
    save_images(tmp_path / "g.png", images(), scale=1)
    assert imread(tmp_path / "g.png").shape == (3 * (2 + 1) - 1, 4 * (3 + 1) - 1, 4)
    assert png(np.zeros((2, 2, 4))).startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="could not be written"):
        save_images(tmp_path / "absent" / "g.png", images())
