"""L3. Hugging Face: a folder that `transformers` loads, generates from and saves, without us.

    config.json  generation_config.json  model.safetensors  modeling_pastforward.py
    tokenizer.json  tokenizer_config.json  README.md

Students of tokens become causal language models, those of classes sequence classifiers.
"""

import importlib.util
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pastforward.blocks import Block
from pastforward.cells import CELLS
from pastforward.cells.base import Cell
from pastforward.cells.elman import Elman
from pastforward.cells.gru import GRU
from pastforward.cells.lstm import LSTM
from pastforward.cells.mlp import ResidualMLP
from pastforward.cells.torch_nn import TorchCell
from pastforward.cells.transformer import TransformerCell
from pastforward.data.codec import Codec, LabelCodec, SeriesCodec
from pastforward.errors import UsageError
from pastforward.files import write_atomically, write_json
from pastforward.inference.export import Exported, Replay, Shipment, hf_cells, hf_model
from pastforward.inference.export.hf_card import card
from pastforward.inference.export.hf_tokenizer import special_ids, write_tokenizer
from pastforward.outputs import parameter_count
from pastforward.student import Student
from pastforward.types import Flags, Tokens

MODULE, WEIGHTS = "modeling_pastforward", "model.safetensors"
_PADDED = 3
"""Steps of padding that the check puts before each sequence."""


def export(shipment: Shipment, folder: Path) -> Exported:
    """Write the folder; raises `UsageError` for cells of one's own, series and numbers."""
    student, codec = shipment.student, shipment.codec
    task = _task(student, codec)
    write_json(folder / "config.json", _config(student, codec, task))
    write_atomically(folder / WEIGHTS, _weights(student))
    write_atomically(folder / f"{MODULE}.py", code(type(student.cell).__name__).encode())
    kind = student.signature.inputs
    if isinstance(kind, Tokens):
        read = codec.inputs if isinstance(codec, LabelCodec) else codec
        write_tokenizer(read, kind.size, folder)
        special = special_ids(read, kind.size)
        if task == CAUSAL:
            write_json(folder / "generation_config.json", {"do_sample": True} | special)
    write_atomically(folder / "README.md", card(shipment, task).encode())
    hint = f"{task}.from_pretrained('{{place}}', trust_remote_code=True)"
    return Exported(_replays(folder, codec, task), hint=hint)


CAUSAL = "AutoModelForCausalLM"
CLASSIFIER = "AutoModelForSequenceClassification"


def _task(student: Student, codec: Codec) -> str:
    name = type(student.cell).__name__
    if name not in hf_cells.CELLS:
        raise UsageError(
            f"The student's cell is {name}, code of your own that --to hf can't write down; export "
            f"it --to onnx, or train one of {', '.join(CELLS)}."
        )
    what = student.signature
    if isinstance(codec, LabelCodec) and codec.classes:
        return CLASSIFIER
    if isinstance(what.inputs, Tokens) and student.is_autoregressive:
        return CAUSAL
    raise UsageError(
        f"The student reads {what.inputs} and writes {what.outputs}; --to hf has models of tokens "
        "and of classes alone, so export it --to onnx."
    )


def code(cell: str) -> str:
    """The modelling file: `hf_model` with the classes of that cell in the place of an import."""
    own = hf_cells.CELLS[cell]
    used = [c for c in own.__mro__[::-1] if c.__module__ == hf_cells.__name__]
    if own is hf_cells.TransformerCell:
        used = [hf_cells.Attention, hf_cells.Block, *used]
    classes = "\n\n".join(inspect.getsource(c) for c in used)
    text = inspect.getsource(hf_model).replace("L3. ", "", 1)
    line = f"from {hf_cells.__name__} import CELLS\n"
    assert line in text
    return text.replace(line, f'\n{classes}\n\nCELLS = {{"{cell}": {cell}}}\n')


def _config(student: Student, codec: Codec, task: str) -> dict[str, Any]:
    what, cell = student.signature, student.cell
    name = task.removeprefix("AutoModel")
    found: dict[str, Any] = {
        "model_type": "pastforward",
        "architectures": [f"Pastforward{name}"],
        "auto_map": {
            "AutoConfig": f"{MODULE}.PastforwardConfig",
            task: f"{MODULE}.Pastforward{name}",
        },
        "cell": type(cell).__name__,
        "dials": _dials(cell),
        "slots": cell.memory.slots,
        "width": cell.memory.width,
        "embed": cell.inputs,
        "readout": student.readout.hidden,
        "outputs": parameter_count(what.outputs),
        "dtype": "float32",
    }
    if isinstance(what.inputs, Tokens):
        found["vocab_size"] = what.inputs.size
    if isinstance(codec, LabelCodec):
        found |= _labels(codec, isinstance(what.outputs, Flags))
        if isinstance(codec.inputs, SeriesCodec):
            found |= {"mean": list(codec.inputs.mean), "std": list(codec.inputs.std)}
    return found


def _labels(codec: LabelCodec, several: bool) -> dict[str, Any]:
    kind = "multi" if several else "single"
    return {
        "id2label": dict(enumerate(codec.classes)),
        "label2id": {name: number for number, name in enumerate(codec.classes)},
        "problem_type": f"{kind}_label_classification",
    }


def _dials(cell: Cell) -> dict[str, Any]:
    """What the cell's class in the modelling file is built with, besides its sizes."""
    if isinstance(cell, ResidualMLP):
        return {"expand": cell.recurrent.out_features // cell.memory.size}
    if isinstance(cell, TransformerCell):
        block = cell.blocks[0]
        assert isinstance(block, Block)
        return {"depth": len(cell.blocks), "heads": block.attention.heads}
    layers = {"layers": cell.layers} if isinstance(cell, TorchCell) else {}
    assert isinstance(cell, TorchCell | Elman | GRU | LSTM)
    return layers | {"scale": cell.scale}


def _weights(student: Student) -> bytes:
    from safetensors.torch import save

    found = {_named(name): t.detach().clone() for name, t in student.state_dict().items()}
    return save(found, {"format": "pt"})


def _named(name: str) -> str:
    """A weight of `Student` by its name in `hf_model`."""
    for own, other in (("up", "0."), ("down", "2."), ("", "")):
        name = name.replace(f"readout.net.{own}.".replace("..", "."), f"readout.{other}")
    return name


def _replays(folder: Path, codec: Codec, task: str) -> dict[str, Replay]:
    model = _loaded(folder, task)
    given = codec.inputs if isinstance(codec, LabelCodec) else codec

    def called(x: np.ndarray, **more: Any) -> Any:
        if isinstance(given, SeriesCodec):
            return model(input_values=torch.from_numpy(given.decode(x.astype(np.float64))), **more)
        return model(input_ids=torch.from_numpy(x), **more)

    def whole(x: np.ndarray) -> np.ndarray:
        return _steps(called(x).logits)

    def padded(x: np.ndarray) -> np.ndarray:
        before = np.zeros_like(x[:, :1]).repeat(_PADDED, 1)
        mask = torch.cat([torch.zeros(len(x), _PADDED), torch.ones(x.shape[:2])], 1).long()
        logits = called(np.concatenate([before, x], 1), attention_mask=mask).logits
        return _steps(logits)[:, -x.shape[1] :]

    def stepped(x: np.ndarray) -> np.ndarray:
        out, found = None, []
        for t in range(x.shape[1]):
            out = called(x[:, t : t + 1], cache=None if out is None else out.cache)
            found.append(_steps(out.logits))
        return np.concatenate(found, 1)

    named = {"whole sequence": whole, "padded on the left": padded, "by its cache": stepped}
    return {name: _without_gradients(one) for name, one in named.items()}


def _without_gradients(replay: Replay) -> Replay:
    def run(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return replay(x)

    return run


def _steps(logits: Tensor) -> np.ndarray:
    """Classifiers have one output."""
    return (logits if logits.dim() == 3 else logits.unsqueeze(1)).numpy()


def _loaded(folder: Path, task: str) -> Any:
    """From the files that were written, by the code that was written."""
    from safetensors.torch import load_file

    spec = importlib.util.spec_from_file_location(MODULE, folder / f"{MODULE}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = getattr(module, task.replace("AutoModel", "Pastforward"))(
        module.PastforwardConfig.from_pretrained(folder)
    )
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.eval()
