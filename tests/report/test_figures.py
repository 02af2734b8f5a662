"""Every figure is drawn from what its analysis returns, gaps and all."""

import pytest
import torch

from pastforward.analysis.credit import Credit
from pastforward.analysis.gap import Gap, Loss
from pastforward.analysis.lengths import AtLength, Point
from pastforward.analysis.meters import Score
from pastforward.analysis.probe import Memories, Probe
from pastforward.errors import UsageError
from pastforward.report.analysis_page import (
    credit_figure,
    future_figure,
    gap_figure,
    lengths_figure,
    memory_loss_figure,
    memory_map,
    probes_figure,
)
from pastforward.report.charts import save_figure, svg
from pastforward.types import Batch

PROBE = Probe(0.9, 0.5, [0.8, None, 1.0], [0.5, None, 0.5], 2)
GAP = Gap(
    sequences=8,
    teacher=Loss(0.1, 0.9, 0.0),
    after={0: Loss(0.2, 0.9, 0.0), 1: Loss(0.3, 0.8, 0.1), 2: Loss(0.6, 0.7, 0.3)},
    alone=Loss(0.5, 0.7, 0.3),
)


def words(figure) -> set[str]:
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    texts += [target.get_text() for axes in figure.axes for target in axes.get_yticklabels()]
    legends = [axes.get_legend() for axes in figure.axes] + figure.legends
    return {*texts, *(text.get_text() for of in legends if of for text in of.get_texts())}


def test_a_gap_says_its_parts():
    shown = words(gap_figure({"student": GAP}))
    assert {"  +0.100 (25%)", "  +0.300 (75%)", "  -0.100 (-25%)", "compounding"} <= shown
    both = words(gap_figure({"before": GAP, "after": GAP}))
    assert {"before, +0.400 alone", "after, +0.400 alone", "teacher 0.100"} <= both


def test_credit_that_does_not_arrive_leaves_a_gap():
    flat, broken = Credit([1, 2], [1.0, 1.0]), Credit([1, 2], [0.0, 1.0])
    panels = {"BPTT": {"start": broken}, "SMT": {"start": flat, "start, F = 1": broken}}
    figure = credit_figure(panels)
    assert words(figure) >= {"start", "start, F = 1"}
    assert figure.axes[1].get_lines()[1].get_linestyle() == "--"


def test_probes_and_losses_by_memory_size():
    shown = words(probes_figure("parity", {"student": PROBE, "untrained": PROBE}))
    assert {"student 90.0%", "untrained 90.0%", "most frequent at t"} <= shown
    assert {"targets", "most frequent"} <= words(future_figure({"targets": [PROBE, PROBE]}))
    few = [Point(8, 1.0, 0.1, 3), Point(16, 0.8, 0.0, 1)]
    points = {"60 s": few, "600 s": [Point(8, 0.5, 0.0, 1)]}
    assert {"60 s", "600 s"} <= words(memory_loss_figure(points))


def test_losses_by_length_name_the_reference():
    score = Score(0.5, 0.1, 0.7, 0.8, [0.5])
    found = [AtLength(n, 4, score, None, reference) for n, reference in ((8, 1.0), (16, None))]
    assert {"student", "unigram reference"} <= words(lengths_figure(found, 8))


def remembered(rows: torch.Tensor) -> Memories:
    count, length = rows.shape[:2]
    bits = torch.randint(2, (count, length), generator=torch.Generator().manual_seed(0))
    batch = Batch(bits, bits, torch.ones_like(bits, dtype=torch.bool))
    times = torch.arange(1, length + 1).expand(count, -1)
    return Memories(batch, {"student": rows}, {"parity": bits.cumsum(1) % 2, "length": times})


def test_a_figure_is_written_whole_or_not_at_all(tmp_path):
    memories = remembered(torch.rand(20, 5, 6, generator=torch.Generator().manual_seed(0)))
    for state in (None, "parity", "length"):
        save_figure(tmp_path / "map.png", memory_map(memories, state))
        assert (tmp_path / "map.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with pytest.raises(UsageError, match="could not be written"):
        save_figure(tmp_path / "nowhere" / "map.png", memory_map(memories, None))


def test_a_map_shows_the_share_of_each_component():
    rows = torch.zeros(10, 4, 3)
    rows[::2, :, 1] = 2.0
    axes = memory_map(remembered(rows), None).axes[0]
    assert "100%" in axes.get_xlabel()
    assert "(0%)" in axes.get_ylabel()


def test_collapsed_memories_have_a_map():
    axes = memory_map(remembered(torch.ones(10, 4, 3)), None).axes[0]
    assert "(0% of variance)" in axes.get_xlabel()


def test_a_figure_is_a_picture_on_pages_too():
    memories = remembered(torch.rand(300, 10, 6, generator=torch.Generator().manual_seed(0)))
    text = svg(memory_map(memories, None))
    assert "var(--ink)" in text
    assert len(text) < 400_000
