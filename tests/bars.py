"""What bars were shown on a terminal: their titles, totals, and how far they came."""

import pytest
from rich import progress


class Shown(dict[str, list[float]]):
    """By title, total and what of it was counted."""


@pytest.fixture
def shown(monkeypatch) -> Shown:
    """All bars of rich from here on, with stderr taken for a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    found, titles = Shown(), {}
    add, advance = progress.Progress.add_task, progress.Progress.advance

    def added(self, description, *rest, total=100.0, **named):
        task = add(self, description, *rest, total=total, **named)
        titles[self, task] = description
        found[description] = [total, 0]
        return task

    def advanced(self, task, count=1):
        found[titles[self, task]][1] += count
        advance(self, task, count)

    monkeypatch.setattr(progress.Progress, "add_task", added)
    monkeypatch.setattr(progress.Progress, "advance", advanced)
    return found
