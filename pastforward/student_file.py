"""L3. What ships: one safetensors file of weights and, as JSON, all that it takes to run them.

Nothing is pickled, and nothing of the teacher or of training is imported or needed.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pastforward.baselines import BASELINES, Network, build_network
from pastforward.cells import CELLS, CellBuilder
from pastforward.config import StudentConfig
from pastforward.data.codec import Codec, codec_from_json, codec_to_json
from pastforward.errors import UsageError
from pastforward.files import write_atomically
from pastforward.student import Student
from pastforward.types import Kind, MemoryShape, Signature, Tokens, Vectors

_KEY, _FORMAT = "pastforward.student", 1


def save_student(path: Path | str, student: Network, config: StudentConfig, codec: Codec) -> None:
    """Write weights, config, signature and codec to `path`, atomically.

    Raises `UsageError` when the place can't be written; a file that was there before then stays.
    """
    facts = {
        "format": _FORMAT,
        "config": asdict(config),
        "signature": _signature_to_json(student.signature),
        "codec": codec_to_json(codec),
    }
    # A clone of each: safetensors refuses tensors that share memory, as tied weights do.
    tensors = {name: t.detach().cpu().clone() for name, t in student.state_dict().items()}
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(tensors, {_KEY: json.dumps(facts)}))


def load_student(path: Path | str, cell: CellBuilder | None = None) -> tuple[Student, Codec]:
    """The student in `path`, in evaluation mode on the CPU, and the codec of its symbols.

    Raises as `load_network` does, and `UsageError` for a peer.
    """
    network, codec = load_network(path, cell)
    if not isinstance(network, Student):
        raise UsageError(
            f"'{path}' holds a peer, which `eval` and `report` can measure, but which has no "
            "memory to run alone; give the file of a student."
        )
    return network, codec


def load_network(path: Path | str, cell: CellBuilder | None = None) -> tuple[Network, Codec]:
    """The student or peer in `path`, in evaluation mode on the CPU, and the codec of its symbols.

    `cell` builds the cell of a student whose cell is no entry of the table, as `wrap` makes them.
    Raises `UsageError` for a file that is missing, truncated, foreign or of another cell.
    """
    facts, tensors = _read(Path(path))
    try:
        config = StudentConfig(**facts["config"])
        signature = _signature_from_json(facts["signature"])
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
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get(_KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise _foreign(path, f"it is damaged or of another kind ({error})") from error
    if not isinstance(facts, dict):
        raise _foreign(path, "it holds weights, but no description of a student")
    if facts.get("format") != _FORMAT:
        raise _foreign(path, f"it has format {facts.get('format')} where {_FORMAT} is known")
    return facts, tensors


def _build(
    path: Path | str, config: StudentConfig, signature: Signature, cell: CellBuilder | None
) -> Network:
    if cell is None and config.cell not in (*CELLS, *BASELINES):
        raise UsageError(
            f"'{path}' holds a student with a cell of its own, '{config.cell}'; "
            "hand the builder of that cell to load_student as `cell`."
        )
    # The weights drawn here are thrown away, and must not move anyone's random numbers.
    with torch.random.fork_rng(devices=[]):
        if cell is None:
            return build_network(config, signature)
        built = cell(MemoryShape(config.slots, config.width), config.embed)
        return Student(signature, built, config.hidden)


def _foreign(path: Path | str, reason: str) -> UsageError:
    return UsageError(
        f"'{path}' is no student file: {reason}; give a file that save_student wrote."
    )


def _signature_to_json(signature: Signature) -> dict[str, Any]:
    def kind(given: Kind) -> dict[str, int]:
        if isinstance(given, Tokens):
            return {"tokens": given.size}
        return {"vectors": given.width}

    return {
        "inputs": kind(signature.inputs),
        "outputs": kind(signature.outputs),
        "length": signature.length,
    }


def _signature_from_json(facts: dict[str, Any]) -> Signature:
    def kind(given: dict[str, int]) -> Kind:
        return Tokens(given["tokens"]) if "tokens" in given else Vectors(given["vectors"])

    return Signature(kind(facts["inputs"]), kind(facts["outputs"]), facts["length"])
