import pytest


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
