"""L6. Code of the user's own that a run's config names: imported only where they name it, too."""

from collections.abc import Collection
from pathlib import Path

from pastforward.config import RunConfig
from pastforward.data.opening import family, in_memory, is_named, known_names
from pastforward.errors import UsageError
from pastforward.registry import is_foreign


def foreign_names(config: RunConfig) -> list[str]:
    """Components of the form module:Name, in the order data, network, encoder, methods."""
    network = config.student.cell if config.baseline is None else config.baseline.name
    encoder = [config.teacher.encoder] if config.label_store is None else []  # none is built then
    names = [network, *encoder, *(stage.method for stage in config.stages)]
    data = [config.data.source] if is_foreign_data(config.data.source) else []
    return list(dict.fromkeys([*data, *(name for name in names if is_foreign(name))]))


def is_foreign_data(source: str) -> bool:
    """Is it a source of the user's own, as module:Name? 'copy:a' and 'hf:name' are none."""
    own = in_memory(source) or family(source) in known_names()
    return is_named(source) and not own


def require_allowed(config: RunConfig, allow: Collection[str], where: Path | str) -> None:
    """Raise `UsageError` for code that a file names and the user doesn't."""
    for name in foreign_names(config):
        if name not in allow:
            raise UsageError(
                f"{where} names code of its own, '{name}', which is not imported unasked; if you "
                f"trust it, add --allow {name}, in Python allow=['{name}']."
            )
