"""L1. Text from the Hugging Face hub, read by the `datasets` package where it is installed."""

from importlib import import_module
from typing import Any

from pastforward.data.configs import DataConfig, HubConfig, TextConfig
from pastforward.data.text import TextSource
from pastforward.data.text_files import text_source
from pastforward.errors import UsageError, nearest

_SPLITS = ("train", "validation", "test")


def open_hub(config: DataConfig, options: HubConfig) -> TextSource:
    """The texts of one column of the data set hf:NAME, joined, all in memory.

    Raises `UsageError` when `datasets` is not installed, or the data set or column is not there.
    """
    name = config.source.partition(":")[2]
    if not name:
        raise UsageError(f"'{config.source}' names no data set of the hub; give 'hf:NAME'.")
    splits = _load(name)
    # A data set without 'train' still has a first split.
    kept = [splits[s] for s in _SPLITS if s in splits] or [next(iter(splits.values()))]
    parts = [_joined(name, split, options.column) for split in kept]
    return text_source(f"hf:{name}", parts, TextConfig(options.unit), config.length)


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


def _joined(name: str, split: Any, column: str) -> bytes:
    if column not in split.column_names:
        raise UsageError(
            f"'hf:{name}' has no column '{column}'; {nearest(column, split.column_names)}."
        )
    texts = split[column]
    if not all(isinstance(t, str) for t in texts):
        raise UsageError(f"Column '{column}' of 'hf:{name}' holds no text; name one that does.")
    return "\n".join(texts).encode("utf-8")
