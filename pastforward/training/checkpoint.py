"""L4. Checkpoints: tensors and JSON in one safetensors file, replaced atomically."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pastforward.errors import UsageError
from pastforward.files import write_atomically


def save_tensors(path: Path, tensors: dict[str, Tensor], facts: dict) -> None:
    """Write all of it or nothing.

    Raises `UsageError` when the disk is full or the place can't be written; the old file stays.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(whole, {"facts": json.dumps(facts)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Tensors and facts; raises `UsageError` for a missing, truncated or foreign file."""
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise UsageError(
            f"{path} is missing, cut short or not one of pastforward's files "
            f"({type(error).__name__}: {error}); point to a run folder that `train` wrote."
        ) from error


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put tensors of a part under its name."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def part(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """What `prefixed` put under that name."""
    cut = len(prefix) + 1
    return {n[cut:]: t for n, t in tensors.items() if n.startswith(prefix + "/")}
