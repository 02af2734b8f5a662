"""L4. Checkpoints: a file that one process writes, or a folder of which every rank writes a part.

checkpoints/last.safetensors         of one process: tensors and facts
            last.json                of several: facts, and which folder holds the tensors
            step-N-S/shard-*.safetensors

Parts are written by DCP (`torch.distributed.checkpoint`) as safetensors files, nothing pickled, and
in the background where training goes on. Any number of processes can read either kind.
"""

import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, final

import torch
import torch.distributed as dist
from torch import Tensor

from pastforward.errors import UsageError
from pastforward.files import write_json
from pastforward.training.distributed import agree, barrier, is_loss_of_peer, rank, world
from pastforward.training.folder import RunFolder, load_tensors, save_tensors

Like = Callable[[str], Tensor | None]
"""By a tensor's name another one of its shape, cut over ranks alike; None for one that is whole."""
Facts = dict[str, Any]


def has_checkpoint(folder: RunFolder) -> bool:
    """Was anything saved?"""
    return folder.checkpoint.exists() or folder.shards.exists()


def read_checkpoint(folder: RunFolder) -> tuple[dict[str, Tensor], Facts]:
    """All tensors, whole, and facts of the last checkpoint of either kind.

    Raises `UsageError` where it is missing, cut short or of something else.
    """
    if not _is_sharded(folder):
        return load_tensors(folder.checkpoint)
    facts, place = _facts_of(folder)
    return _read(place, lambda name: None), facts


def _is_sharded(folder: RunFolder) -> bool:
    """Of both kinds, which a process killed between them leaves behind, the later one."""
    times = [p.stat().st_mtime_ns if p.exists() else 0 for p in (folder.shards, folder.checkpoint)]
    return times[0] > times[1]


def _facts_of(folder: RunFolder) -> tuple[Facts, Path]:
    try:
        content = json.loads(folder.shards.read_text())
        return content["facts"], folder.shards.parent / content["folder"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder.shards} can't be read ({error}); start the run again with --overwrite."
        ) from error


def _read(place: Path, like: Like) -> dict[str, Tensor]:
    """The tensors of a folder of safetensors files; those cut over ranks, this rank's parts."""
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load

    try:
        found = HuggingFaceStorageReader(str(place)).read_metadata().state_dict_metadata
        tensors = {name: _room(metadata, like(name)) for name, metadata in found.items()}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")
            reader = HuggingFaceStorageReader(str(place))
            load(tensors, storage_reader=reader, no_dist=world() == 1)
    except (CheckpointException, Exception) as error:  # of safetensors, the file system, and DCP
        raise UsageError(
            f"{place} is missing, cut short or not one of pastforward's checkpoints "
            f"({type(error).__name__}); start the run again with --overwrite."
        ) from error
    return tensors


def _room(metadata: Any, like: Tensor | None) -> Tensor:
    if like is not None and tuple(like.shape) == tuple(metadata.size):
        return torch.empty_like(like, dtype=metadata.properties.dtype).detach()
    return torch.empty(metadata.size, dtype=metadata.properties.dtype)


@final
class Checkpoints:
    """Those of a run as it is trained, by one process or by several."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._writing: Future | None = None
        self._published: Callable[[], None] | None = None
        self._group: Any = None

    def begin(self, tensors: Mapping[str, Tensor], facts: Facts, number: str) -> None:
        """Save all of it or nothing; every rank calls it, with tensors whole or its parts of them.

        `number` is the checkpoint's own. Several ranks may go on while it is written; `poll` or
        `wait` makes it the last one. Raises `UsageError` where it can't be written.
        """
        self.wait()
        if world() == 1:
            save_tensors(self.folder.checkpoint, dict(tensors), facts)
            self._remove_others("")
        else:
            self._begin(dict(tensors), facts, number)

    def poll(self) -> None:
        """Where what was begun is written, make it the last checkpoint."""
        if self._writing is not None and self._writing.done() and not self._writing.exception():
            self._finish()

    def wait(self) -> None:
        """Until all is written; raises `UsageError` where that fails, the last one stays."""
        if self._writing is None:
            return
        error = self._writing.exception()
        self._finish()
        text = " ".join(str(error).split())
        if error is not None and is_loss_of_peer(RuntimeError(text)):
            raise RuntimeError(text) from error
        if error is not None:
            raise UsageError(
                f"A checkpoint could not be written below '{self.folder.checkpoint.parent}' "
                f"({text[:200]}); free some space."
            ) from error

    def load(self, facts_only: Callable[[Facts], None], like: Like) -> dict[str, Tensor]:
        """The tensors; `facts_only` is told the facts before `like` is asked for any tensor."""
        if world() == 1 and not _is_sharded(self.folder):
            tensors, facts = load_tensors(self.folder.checkpoint)
            facts_only(facts)
            return tensors
        if _is_sharded(self.folder):
            facts, place = _facts_of(self.folder)
        else:
            facts, place = load_tensors(self.folder.checkpoint)[1], self.folder.checkpoint.parent
        facts_only(facts)
        return _read(place, like)

    def _begin(self, tensors: dict[str, Tensor], facts: Facts, number: str) -> None:
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
        from torch.distributed.checkpoint.state_dict_saver import async_save

        name = f"step-{number}"
        place = self.folder.shards.parent / name
        if agree(float(rank() == 0 and self._is_last(name)))[0]:
            return
        if rank() == 0:
            shutil.rmtree(place, ignore_errors=True)  # of processes that were killed
        barrier()
        # Messages of their own, as the training goes on beside them.
        self._group = self._group or dist.new_group(backend="gloo")
        writer = HuggingFaceStorageWriter(str(place), save_distributed=True)
        kept = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        found = async_save(kept, storage_writer=writer, process_group=self._group)
        assert isinstance(found, Future)
        self._writing, self._published = found, lambda: self._publish(name, facts)

    def _finish(self) -> None:
        assert self._writing is not None
        written, publish = self._writing.exception() is None, self._published
        self._writing = self._published = None
        if rank() == 0 and written and publish is not None:
            publish()

    def _publish(self, name: str, facts: Facts) -> None:
        write_json(self.folder.shards, {"folder": name, "facts": facts})
        self._remove_others(name)

    def _remove_others(self, name: str) -> None:
        if name:
            self.folder.checkpoint.unlink(missing_ok=True)
        else:
            self.folder.shards.unlink(missing_ok=True)
        for other in self.folder.checkpoint.parent.glob("step-*"):
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)

    def _is_last(self, name: str) -> bool:
        return _is_sharded(self.folder) and _facts_of(self.folder)[1].name == name
