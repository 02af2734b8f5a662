"""L4. What a checkpoint holds of a run, and a run made to hold it again."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from torch import Tensor

from pastforward.training.engine import whole
from pastforward.training.folder import join_parts, part
from pastforward.training.loop import Progress
from pastforward.training.networks import Selection, build_networks

if TYPE_CHECKING:
    from pastforward.training.trainer import Trainer


def tensors_of(run: "Trainer") -> dict[str, Tensor]:
    """Weights, the best ones and moments; of what is cut over ranks this rank's part."""
    ended = run.number == len(run.config.stages)  # its optimiser is of no more use
    return join_parts(
        network=run.network.state_dict(),
        teacher=run.teacher.state_dict() if run.teacher else {},
        best=run.selection.tensors,
        optimiser={} if ended else run.fit.optimiser.tensors(),
    )


def facts_of(run: "Trainer") -> dict[str, Any]:
    """All else, as JSON; of the data how many sequences were read."""
    return {
        "number": run.number,
        "progress": asdict(run.fit.progress),
        "sequences": run.fit.sequences,
        "spent": asdict(run.spent),
        "selection": run.selection.facts(),
        "label_store": run.store and run.store.identity,
    }


def go_back(run: "Trainer") -> None:
    """To the last checkpoint, whoever wrote it; raises where it doesn't fit."""
    tensors = run.checkpoints.load(lambda facts: _go_to(run, facts), lambda name: _like(run, name))
    run.network.load_state_dict(part("network", tensors))
    if run.teacher:
        run.teacher.load_state_dict(part("teacher", tensors))
    run.selection.tensors = part("best", tensors)
    if run.number < len(run.config.stages):
        run.fit.optimiser.restore(part("optimiser", tensors))


def _go_to(run: "Trainer", facts: dict[str, Any]) -> None:
    """The stage of a checkpoint, all but its tensors."""
    run.number = facts["number"]
    if facts.get("label_store") != (run.store and run.store.identity):
        raise ValueError(f"{run.config.label_store} holds other targets than it began with")
    run.selection = Selection(run.config.fit.select, **facts["selection"])
    run.spent = Progress(**facts["spent"])
    if run.number < len(run.config.stages):
        run.fit = run.make_fit()
        run.fit.go_on_from(Progress(**facts["progress"]), facts["sequences"])


def _like(run: "Trainer", name: str) -> Tensor | None:
    """This rank's tensor that one of a checkpoint is shaped and cut like."""
    whose, _, key = name.partition("/")
    if whose == "optimiser":
        return run.fit.optimiser.like(key)
    network = run.teacher if whose == "teacher" else run.network
    return None if network is None else network.state_dict()[key]


def join_parts_of(run: "Trainer") -> None:
    """Give it networks of whole weights, as if no rank had held a part of them only."""
    before = run.network, run.teacher
    run.network, run.target_source = build_networks(run.config, run.source.signature, run.store)
    for one, other in zip(before, (run.network, run.teacher), strict=True):
        if one is not None and other is not None:
            state = {name: whole(tensor).cpu() for name, tensor in one.state_dict().items()}
            other.load_state_dict(state)
