"""L1. Text from the Hugging Face hub, by the `datasets` package where it is installed."""

from importlib import import_module
from typing import Any

from pastforward.data.text import TextSource
from pastforward.data.text_files import text_source
from pastforward.errors import UsageError, nearest

_SPLITS = ("train", "validation", "test")


def open_huggingface(name: str, column: str | None, unit: str, length: int | None) -> TextSource:
    """The texts of one column ('text' unless given) of data set `name`, joined, all in memory.

    Raises UsageError when `datasets` is not installed, or the set or column is not there.
    """
    splits = _load(name)
    # A set without 'train' still has some first split.
    kept = [splits[s] for s in _SPLITS if s in splits] or [next(iter(splits.values()))]
    return text_source(f"hf:{name}", [_joined(name, s, column) for s in kept], unit, length)


def _load(name: str) -> dict[str, Any]:
    try:
        datasets = import_module("datasets")
    except ImportError as error:
        raise UsageError(
            f"'hf:{name}' needs the datasets package, which is not installed; run "
            "pip install pastforward[huggingface]."
        ) from error
    try:
        return datasets.load_dataset(name)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"'hf:{name}' could not be loaded ({reason}); check the name and the network."
        ) from error


def _joined(name: str, split: Any, column: str | None) -> bytes:
    wanted = column or "text"
    if wanted not in split.column_names:
        raise UsageError(
            f"'hf:{name}' has no column '{wanted}'; {nearest(wanted, split.column_names)}."
        )
    texts = split[wanted]
    if not all(isinstance(t, str) for t in texts):
        raise UsageError(f"Column '{wanted}' of 'hf:{name}' holds no text; name one that does.")
    return "\n".join(texts).encode("utf-8")
