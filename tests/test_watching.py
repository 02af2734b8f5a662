"""Bars of long work: on a terminal alone, after a moment, gone at the end, also after an error."""

import io
import time
from contextlib import suppress

import pytest
from rich.console import Console

from pastforward import watching
from pastforward.watching import counting, shown_on, stderr_console, watched


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def slow(count: int = 3, seconds: float = 0.3):
    for i in range(count):
        time.sleep(seconds)
        yield i


def test_a_bar_is_shown_where_it_takes_longer_than_a_moment():
    console = terminal()
    with shown_on(console):
        assert list(watched(slow(5), "reading [b]files", 5)) == list(range(5))
    assert "reading [b]files" in written(console)
    assert "%" in written(console)


def test_nothing_is_shown_of_what_is_over_in_a_moment(monkeypatch):
    monkeypatch.setattr(watching, "MOMENT", 60.0)
    console = terminal()
    with shown_on(console):
        assert list(watched(slow(), "reading files", 3)) == [0, 1, 2]
    assert "reading" not in written(console)


@pytest.mark.parametrize("inside", [True, False])
def test_nothing_is_written_without_a_terminal_or_outside(inside, capsys):
    console = Console(file=io.StringIO())
    if inside:
        with shown_on(console), counting("reading", 4) as done:
            done(4)
    else:
        assert list(watched("ab", "reading", 2)) == ["a", "b"]
    assert written(console) == ""
    assert capsys.readouterr() == ("", "")


def test_an_error_leaves_no_bar_behind():
    console = terminal()
    items = watched(range(3), "reading", 3)
    with suppress(KeyError), shown_on(console):
        next(items)
        raise KeyError
    assert written(console).rstrip("\r").endswith("\x1b[?25h")  # the cursor is shown again
    assert not console._live_stack


def test_bars_inside_a_status_share_its_console():
    with shown_on(terminal()):
        console = stderr_console()
        with console.status("reading the run"):
            assert list(watched(slow(4), "reading sounds", 4)) == list(range(4))
    assert "reading sounds" in written(console)
    assert stderr_console() is not console


def test_items_have_sizes(shown):
    with shown_on(terminal()):
        assert list(watched(["ab", "c"], "reading", 3, len)) == ["ab", "c"]
    assert shown == {"reading": [3, 3]}
