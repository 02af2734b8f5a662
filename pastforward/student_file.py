"""L2. What ships: one safetensors file of weights and, as JSON, all that it takes to run them.

Nothing is pickled, no code is imported by a name that stands in a file, and nothing of the teacher
or of training is needed.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Network
from pastforward.baselines.build import build_baseline
from pastforward.blocks import without_values
from pastforward.cells import CELLS, StudentConfig
from pastforward.cells.build import CellBuilder
from pastforward.data.codec import Codec, codec_from_json, codec_to_json
from pastforward.errors import UsageError
from pastforward.files import from_json, pack_tensors, read_tensors, to_json, write_atomically
from pastforward.registry import is_foreign
from pastforward.student import Student, build_student
from pastforward.types import MemoryShape, Signature

_KEY, _FORMAT = "pastforward.student", 2


def save_student(
    path: Path | str, network: Network, config: StudentConfig | BaselineConfig, codec: Codec,
    extra: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write weights, config, signature and codec to `path`, atomically.

    `config` is what the network was built by: a `StudentConfig`, or for a baseline its
    `BaselineConfig` with the width that was chosen. `extra` is kept beside them as JSON. Raises
    `UsageError` where the config builds a network of other sizes, or the place can't be written; a
    file that was there then stays.
    """
    _require_fit(network, config)
    facts = {
        "format": _FORMAT,
        "network": "student" if isinstance(config, StudentConfig) else "baseline",
        "config": to_json(config),
        "signature": to_json(network.signature),
        "codec": codec_to_json(codec),
        "extra": extra or {},
    }
    write_atomically(path, pack_tensors(network.state_dict(), {_KEY: facts}))


def read_description(path: Path | str) -> dict[str, Any]:
    """What the file says of its network, as JSON: config, signature, codec, and `extra` as saved.

    Raises `UsageError` for a file that is missing, truncated, foreign or of another format.
    """
    return _read(Path(path))[0]


def load_student(path: Path | str, cell: CellBuilder | str | None = None) -> tuple[Student, Codec]:
    """The student in `path`, in evaluation mode on the CPU, and the codec of its symbols.

    Raises as `load_network` does, and `UsageError` for a baseline.
    """
    network, codec = load_network(path, cell)
    if not isinstance(network, Student):
        raise UsageError(
            f"'{path}' holds a baseline, which `eval` and `report` can measure, but which has no "
            "memory to stream; give the file of a student."
        )
    return network, codec


def load_network(path: Path | str, cell: CellBuilder | str | None = None) -> tuple[Network, Codec]:
    """The student or baseline in `path`, in evaluation mode on the CPU, and its codec.

    A file whose cell is no row of `CELLS` says which one it needs, and code is imported only where
    you name it: `cell` is that name as module:Name, or a builder as `wrap` gives. Raises
    `UsageError` for a file that is missing, truncated, foreign or of another format or cell.
    """
    facts, tensors = _read(Path(path))
    try:
        kind = {"student": StudentConfig, "baseline": BaselineConfig}[facts["network"]]
        config = from_json(kind, facts["config"])
        signature = from_json(Signature, facts["signature"])
        codec = codec_from_json(facts["codec"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _foreign(path, f"its description can't be read ({error})") from error
    network = _build(path, config, signature, cell)
    try:
        network.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise _foreign(path, f"its weights don't fit its description ({reason})") from error
    return network.eval(), codec


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise UsageError(f"There is no student file '{path}'; give the path of one.")
    try:
        tensors, metadata = read_tensors(path)
    except (OSError, ValueError) as error:
        raise _foreign(path, f"it is damaged or of another kind ({error})") from error
    facts = metadata.get(_KEY)
    if not isinstance(facts, dict):
        raise _foreign(path, "it holds weights, but no description of a student")
    if facts.get("format") != _FORMAT:
        raise _foreign(
            path,
            f"it has format {facts.get('format')}, of another version of pastforward, where "
            f"{_FORMAT} is known",
        )
    return facts, tensors


def _build(
    path: Path | str,
    config: StudentConfig | BaselineConfig,
    signature: Signature,
    cell: CellBuilder | str | None,
) -> Network:
    # The weights drawn here are thrown away, and must not advance anyone's random numbers.
    with torch.random.fork_rng(devices=[]):
        if isinstance(config, BaselineConfig):
            return build_baseline(config, signature)
        if callable(cell):
            memory = MemoryShape(config.slots, config.width)
            return Student(signature, cell(memory, config.embed), config.hidden)
        if config.cell not in CELLS and cell != config.cell:
            how = f"'{config.cell}'" if is_foreign(config.cell) else "the builder of that cell"
            raise UsageError(
                f"'{path}' holds a student with a cell of its own, '{config.cell}', whose code is "
                f"not imported unasked; allow it by giving {how} as `cell`."
            )
        return build_student(config, signature)


def _require_fit(network: Network, config: StudentConfig | BaselineConfig) -> None:
    """Refuse a config that builds another network: its file would be another, or none."""
    if isinstance(config, BaselineConfig) and config.width is None:
        raise UsageError("A baseline is saved with its width; give BaselineConfig a width.")
    if isinstance(config, StudentConfig) and config.cell not in CELLS:
        fits = isinstance(network, Student) and (
            (network.memory.slots, network.memory.width, network.cell.inputs)
            == (config.slots, config.width, config.embed)
            and network.readout.hidden == config.hidden
        )
    else:
        with without_values():
            if isinstance(config, StudentConfig):
                built: Network = build_student(config, network.signature)
            else:
                built = build_baseline(config, network.signature)
            fits = _description(network) == _description(built)
    if not fits:
        raise UsageError(
            f"The network to save is not what {config} builds; give the config that it was built "
            "by."
        )


def _description(network: Network) -> list[tuple[Any, ...]]:
    """Type and plain attributes of every module: sizes, heads, memory scale."""
    return [(name, type(module), _plain(vars(module))) for name, module in network.named_modules()]


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    kinds = int, float, str, MemoryShape
    return {k: v for k, v in attributes.items() if isinstance(v, kinds) and k != "training"}


def _foreign(path: Path | str, reason: str) -> UsageError:
    return UsageError(
        f"'{path}' is no student file: {reason}; give a file that save_student wrote."
    )
