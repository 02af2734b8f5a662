"""L4. Checkpoints: tensors and JSON in one safetensors file, replaced atomically."""

from pathlib import Path
from typing import Any

from torch import Tensor

from pastforward.errors import UsageError
from pastforward.files import pack_tensors, read_tensors, write_atomically


def save_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write all of it or nothing.

    Raises `UsageError` when the disk is full or the place can't be written; the old file stays.
    """
    write_atomically(path, pack_tensors(tensors, {"facts": facts}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts; raises `UsageError` for a missing, truncated or foreign file."""
    try:
        tensors, metadata = read_tensors(path)
        return tensors, metadata["facts"]
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(
            f"{path} is missing, cut short or not one of pastforward's files "
            f"({type(error).__name__}: {error}); point to a run folder that `train` wrote."
        ) from error


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors with `prefix/` before their names."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def part(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """What `prefixed` named so, by the names of before."""
    cut = len(prefix) + 1
    return {n[cut:]: t for n, t in tensors.items() if n.startswith(prefix + "/")}
