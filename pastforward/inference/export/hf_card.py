"""L3. The model card: what it is, how it is used, on what it was trained, what it reached."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pastforward.data.codec import Codec, LabelCodec, PixelCodec
from pastforward.data.text_codec import SymbolsOfText, TextCodec
from pastforward.inference.export import Shipment
from pastforward.types import Tokens

_TAGS = {
    "AutoModelForCausalLM": "text-generation",
    "AutoModelForSequenceClassification": "text-classification",
}
_METRICS = {
    "nats": "loss, nats an output", "bits": "loss, bits an output", "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1",
}  # fmt: skip


def card(shipment: Shipment, task: str) -> str:
    """README.md, with metadata for the Hub first."""
    name = str(shipment.facts.get("name", "a student"))
    tokens = isinstance(shipment.student.signature.inputs, Tokens)
    tag = f"pipeline_tag: {_TAGS[task]}\n" if tokens else ""
    parts = [
        f"---\nlibrary_name: transformers\n{tag}license: other\ntags:\n- pastforward\n- rnn\n---",
        f"# {name}",
        "A recurrent network, pretrained by [pastforward](https://arxiv.org/abs/2606.06479): it "
        "reads a step at a time and keeps a memory of one size, however long the sequence.",
        "## Use\n\n" + _use(shipment, task),
        "## What it is\n\n" + _table(_about(shipment)),
        "## How it was trained\n\n" + _trained(shipment.facts),
        "## Figures\n\n" + _figures(shipment.facts),
        "## Licence\n\nThe code in this folder: Apache-2.0. The weights: whatever their data "
        "allows and their author chooses; replace `license: other` above before you publish them.",
    ]
    return "\n\n".join(parts) + "\n"


def _use(shipment: Shipment, task: str) -> str:
    kind, codec = shipment.student.signature.inputs, shipment.codec
    first = [f"from transformers import {task}, AutoTokenizer", ""]
    made = [f'model = {task}.from_pretrained("FOLDER", trust_remote_code=True)']
    if isinstance(kind, Tokens):
        prompt = _prompt(codec.inputs if isinstance(codec, LabelCodec) else codec)
        made += ['tokenizer = AutoTokenizer.from_pretrained("FOLDER", trust_remote_code=True)',
                 f'given = tokenizer({prompt!r}, return_tensors="pt")']  # fmt: skip
    else:
        first = ["import torch", f"from transformers import {task}", ""]
        made += [f"values = torch.zeros(1, 20, {kind.width})  # in the units of the data",
                 "given = {'input_values': values}"]  # fmt: skip
    last = "print(model(**given).logits.softmax(-1))  # of the classes, in their order"
    if task == "AutoModelForCausalLM":
        last = "print(tokenizer.decode(model.generate(**given, max_new_tokens=100)[0]))"
    block = "\n".join([*first, *made, last])
    return f"```python\n{block}\n```\n\nIt needs transformers 5.24 or later."


def _prompt(codec: Codec) -> str:
    """Something to go on from, in symbols that are known."""
    if not isinstance(codec, SymbolsOfText):
        return str(codec.levels) if isinstance(codec, PixelCodec) else "0"
    characters = codec.characters if isinstance(codec, TextCodec) else None
    known = characters is None or set("The ") <= set(characters)
    return "The " if known else codec.decode([0])


def _about(shipment: Shipment) -> Iterator[tuple[str, Any]]:
    student, codec = shipment.student, shipment.codec
    yield "cell", type(student.cell).__name__
    yield "memory", f"{student.memory.slots} x {student.memory.width} numbers"
    yield "parameters", f"{sum(p.numel() for p in student.parameters()):,}"
    kind = student.signature.inputs
    yield (
        "inputs",
        f"{kind.size:,} symbols" if isinstance(kind, Tokens) else f"{kind.width} numbers",
    )
    if isinstance(codec, LabelCodec):
        yield "classes", ", ".join(codec.classes)


def _trained(facts: Mapping[str, Any]) -> str:
    spent, config = facts.get("facts", {}), facts.get("config")
    if config is None:
        return "Not known: the student's file was exported alone."
    data = spent.get("data", {})
    rows = {
        "data": Path(str(data.get("name", config["data"]["source"]))).name,
        "kind": data.get("kind"),
        "method": ", then ".join(stage["method"] for stage in config["stages"]),
        "length of sequences": spent.get("length"),
        "seconds, steps, tokens": _joined(spent, "seconds", "steps", "tokens"),
        "seed": config["seed"],
        "hardware": spent.get("hardware"),
        "date": spent.get("date"),
        "versions": f"pastforward {version('pastforward')}, torch {spent.get('torch', 'unknown')}",
        "commit": spent.get("commit"),
    }
    return _table((name, value) for name, value in rows.items() if value is not None)


def _figures(facts: Mapping[str, Any]) -> str:
    found = facts.get("evaluation")
    if found is None:
        return f"Not measured yet: `pastforward eval {facts.get('name', 'RUN')}`, then export anew."
    own, labels = found["student"], found.get("labels") or {}
    own = own | {k: v for k, v in labels.items() if isinstance(v, float)}
    rows = [(text, f"{own[key]:.4f}") for key, text in _METRICS.items()
            if isinstance(own.get(key), float)]  # fmt: skip
    held = f"On {found['sequences']:,} held-out sequences (split '{found['split']}'), "
    return (
        held + "the network alone from its empty memory, by "
        f"`pastforward eval {facts['name']}`; exported by `pastforward export {facts['name']} --to "
        f"hf`.\n\n" + _table(rows)
    )


def _joined(facts: Mapping[str, Any], *names: str) -> str | None:
    known = [facts.get(name) for name in names]
    return None if None in known else ", ".join(f"{value:,}" for value in known)


def _table(rows: Any) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
