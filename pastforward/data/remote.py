"""L0. Files and folders named by a URL, as s3://BUCKET/NAME: read from a copy in the cache.

fsspec knows the URLs. A copy is made anew where the files have changed. Imports no torch.
"""

import re
from pathlib import Path
from typing import Any

from pastforward.data.cache import kept
from pastforward.data.files import optional_package
from pastforward.errors import UsageError
from pastforward.files import expanded
from pastforward.watching import counting

_URL = re.compile(r"[a-z][a-z0-9+.-]+(::[a-z0-9+.-]+)*:/")


def is_url(name: str) -> bool:
    """Does it begin with a protocol, as s3://? A `Path` of one has a single slash."""
    return "://" in name and _URL.match(name) is not None


def refuse_url(path: Path | str, option: str) -> None:
    """Raise `UsageError` where something is to be written to a URL."""
    if _URL.match(str(path)):
        raise UsageError(
            f"{option} {path} is a URL, and only folders can be written to; write to a folder and "
            "copy that, or mount the store as a folder."
        )


def local(source: Path | str) -> Path:
    """A path with ~ expanded; of a URL the path of its copy, which is made where there is none.

    Raises `UsageError` where a URL can't be read, or a package that it needs is missing.
    """
    if not is_url(str(source)):
        return expanded(source)
    url = str(source)
    fsspec = optional_package("fsspec", "urls", url)
    try:
        system, path = fsspec.core.url_to_fs(url)
        whole = system.isdir(path)
        files = system.find(path) if whole else [path]
        key = {"url": url, "files": [[name, str(_state(system, name))] for name in files]}
        name = Path(path.rstrip("/")).name.partition("?")[0] or "data"
    except Exception as error:  # each protocol has errors of its own
        raise _unreadable(url, error) from error
    if whole and not files:
        raise UsageError(f"'{url}' is an empty folder, or is not there; check the URL.")

    def copy(folder: Path) -> dict[str, Any]:
        (folder / "copy").mkdir()
        try:
            with counting(f"copying {url[-60:]}", None):
                system.get(path, str(folder / "copy" / name), recursive=whole)
        except Exception as error:
            raise _unreadable(url, error) from error
        return {"url": url}

    return kept("urls", key, copy).folder / "copy" / name


def _state(system: Any, name: str) -> Any:
    """Differs where the file has changed, as far as the protocol tells."""
    info = system.info(name)
    return system.ukey(name), info.get("size"), info.get("ETag")


def _unreadable(url: str, error: Exception) -> UsageError:
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(".")
    return UsageError(
        f"'{url}' can't be read ({reason}); check the URL, your access to it, and that the package "
        "for its protocol is installed."
    )
