"""L3. Plain `torch.nn`: weights, sizes and the one file of code that reads them."""

import inspect
import json
from pathlib import Path

import numpy as np
import torch

from pastforward.cells import plain
from pastforward.cells.plain import Recurrent
from pastforward.data.codec import codec_to_json
from pastforward.files import pack_tensors, read_tensors, write_atomically, write_json
from pastforward.inference.export import Exported, Shipment
from pastforward.plain_torch import to_torch, torch_sizes

WEIGHTS, SIZES, CODEC, CODE = "model.safetensors", "config.json", "codec.json", "model.py"


def export(shipment: Shipment, folder: Path) -> Exported:
    """Write the four files; raises `UsageError` for a cell that torch.nn has no module of."""
    sizes, network = torch_sizes(shipment.student), to_torch(shipment.student)
    write_atomically(folder / WEIGHTS, pack_tensors(network.state_dict(), {}))
    write_json(folder / SIZES, sizes)
    write_json(folder / CODEC, codec_to_json(shipment.codec))
    write_atomically(folder / CODE, inspect.getsource(plain).replace("L1. ", "", 1).encode())
    hint = f"{{place}}/{CODE} needs torch alone; its first lines say how it is loaded."
    return Exported({f"torch.nn.{sizes['kind']}, whole sequence": _Replay(folder)}, hint=hint)


class _Replay:
    """What was written, read again."""

    def __init__(self, folder: Path) -> None:
        self.network = Recurrent(**json.loads((folder / SIZES).read_text()))
        self.network.load_state_dict(read_tensors(folder / WEIGHTS)[0])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.network(torch.from_numpy(x))[0].numpy()
