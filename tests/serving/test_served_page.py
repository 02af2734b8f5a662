"""The page in a real browser: every view does what its button says."""

import shutil

import pytest
from in_thread import running, served

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no browser 'chromium'")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as play:
        arguments = ["--no-sandbox", "--disable-gpu"]
        found = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


@pytest.fixture
def opened(browser):
    """Opens a page; what goes wrong in it, or is asked of another machine, fails the test."""
    page, wrong = browser.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error"
            and "status of 400" not in said.text else None)  # fmt: skip
    page.on("request", lambda r: None if "//127.0.0.1:" in r.url or r.url.startswith("data:")
            else wrong.append(r.url))  # fmt: skip

    def visit(address: str):
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        return page

    yield visit
    page.close()
    assert not wrong


def go(page, button: str = "#go") -> None:
    page.click(button)
    page.wait_for_selector("#go:enabled", timeout=60_000)
    assert not page.is_visible("#said"), page.inner_text("#said")


def test_text_writes_itself_and_goes_on(opened):
    with running(served("text")) as address:
        page = opened(address)
        page.fill("#count", "30")
        go(page)
        written = page.text_content("#written")
        assert written.startswith("hello")
        assert len(written) == 35
        assert page.inner_text("#steps") == "35"
        assert page.inner_text("#state") == "64 B"
        assert page.inner_text("#cache") == "4.4 KiB"
        assert int(page.inner_text("#microseconds").replace(",", "")) > 0
        formula = page.inner_text("#formula").replace("\u00d7", "x")
        assert "2 (key and value) x 16 x t x 4 bytes" in formula
        go(page, "#more")
        assert len(page.text_content("#written")) == 65
        assert page.text_content("#written").startswith(written)
        page.fill("#prompt", "xyz")
        page.click("#go")
        page.wait_for_selector("#said:not([hidden])")
        assert "did not" in page.inner_text("#said")


def test_half_an_image_is_completed(opened):
    with running(served("image")) as address:
        page = opened(address)
        go(page)
        assert page.locator("#drawn canvas").count() == 6
        assert page.inner_text("#steps") == "9"
        page.locator("#examples canvas").nth(1).click()
        page.wait_for_selector("#go:enabled")
        assert page.locator("#examples canvas.chosen").count() == 1


def test_a_series_goes_on(opened):
    with running(served("series")) as address:
        page = opened(address)
        page.fill("#count", "7")
        go(page)
        assert page.inner_text("#steps") == "16"
        assert "and the last 1 row(s) of 2" in page.inner_text("#formula")
        assert page.locator("#charts canvas").count() == 2
        assert page.inner_text("#charts").split() == ["north", "east"]


@pytest.mark.parametrize("kind", ["labels", "judge", "number"])
def test_answers_move_as_steps_come_in(kind, opened):
    with running(served(kind)) as address:
        page = opened(address)
        go(page)
        bars = page.locator("#bars .bar")
        found = [bars.nth(n).inner_text().split()[-1] for n in range(bars.count())]
        assert len(found) == {"labels": 3, "judge": 2, "number": 1}[kind]
        if kind != "number":
            assert sum(float(one[:-1]) for one in found) == pytest.approx(100, abs=0.3)
        assert page.inner_text("#steps") == {"labels": "3", "judge": "5", "number": "2"}[kind]
        assert page.inner_text("#truth").startswith("truth: ")
