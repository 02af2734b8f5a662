"""L2. The description of a label store: store.json."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pastforward.config import RunConfig
from pastforward.data.configs import DataConfig
from pastforward.errors import UsageError
from pastforward.files import from_json, to_json, write_json
from pastforward.types import MemoryShape, Signature

FORMAT = 2
READOUT = "readout.safetensors"


@dataclass(frozen=True)
class StoreFacts:
    """All that determines what the files hold."""

    run: str
    """Folder of the run whose teacher gives the targets."""
    teacher: str
    """SHA-256 of that teacher's weights."""
    config: RunConfig
    """Config of that run, with the data that is labelled."""
    signature: Signature
    memory: MemoryShape
    hidden: int
    """Hidden units of the teacher's readout."""
    sequences: int
    chunk: int
    """Sequences in each chunk; the last one may hold fewer."""
    seed: int = 0
    """Seed of the batches that the source gives."""
    dtype: str = "float16"
    """Number format of the stored targets."""

    @property
    def data(self) -> DataConfig:
        """Where the sequences come from."""
        return self.config.data

    @property
    def chunks(self) -> range:
        """The numbers of all chunks."""
        return range(-(-self.sequences // self.chunk))

    def count(self, number: int) -> int:
        """Sequences in a chunk."""
        return min(self.chunk, self.sequences - number * self.chunk)


class FileFacts(NamedTuple):
    """Size and checksum of a file that was written completely."""

    bytes: int
    sha256: str


Files = dict[str, FileFacts]


def chunk_name(number: int) -> str:
    """The file name of a chunk."""
    return f"chunk-{number:05d}.safetensors"


def write_store(folder: Path, facts: StoreFacts, files: Files) -> None:
    """Write store.json, or leave it as it was; raises `UsageError` when it can't be written."""
    ordered = dict(sorted(files.items()))
    write_json(folder / "store.json", {"format": FORMAT, "files": ordered} | to_json(facts))


def read_store(folder: Path) -> tuple[StoreFacts, Files]:
    """The description, and the files that are complete.

    Raises `UsageError` where there is no store, or one of another format.
    """
    path = folder / "store.json"
    try:
        content = json.loads(path.read_bytes())
        if (found := content.pop("format")) != FORMAT:
            raise ValueError(f"its format is {found}, and this version reads {FORMAT}")
        files = {name: FileFacts(*facts) for name, facts in content.pop("files").items()}
        facts = from_json(StoreFacts, content)
        if min(facts.sequences, facts.chunk, facts.memory.slots, facts.memory.width) < 1:
            raise ValueError("a size in it is below 1")
        return facts, files
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            f"{folder} holds no labels (no store.json); write them with: pastforward label RUN"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{path} can't be read as a label store ({error}); it was made by another version or "
            "edited, so write the labels again with --overwrite."
        ) from error


def mending_command(folder: Path, facts: StoreFacts) -> str:
    """The command that writes the files that are missing or damaged, and keeps the others."""
    words = ["pastforward", "label", facts.run, "--data", facts.data.source, "--sequences"]
    words += [str(facts.sequences), "--seed", str(facts.seed), "--out", str(folder), "--resume"]
    return shlex.join(words)
