"""L6. Sessions: a memory that stays between requests, for a while."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pastforward.serving.requests import Limits, Refusal
from pastforward.serving.stretches import Stretch
from pastforward.serving.text import Pieces


@dataclass(eq=False)
class Session:
    """One sequence: m `[1, K, D]` is all that is kept of what it read."""

    m: Tensor
    pieces: Pieces | None
    """Of text: what of the last character is still missing."""
    generator: torch.Generator
    stretch: Stretch | None = None
    """Of series: what was read."""
    name: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    used: float = field(default_factory=time.monotonic)
    steps: int = 0
    at_work: bool = False


class Sessions:
    """By name. Those not used for `limits.idle` seconds are gone."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._known)

    def add(self, session: Session) -> None:
        """Keep it; refused where there are too many."""
        self._drop_idle()
        if len(self._known) >= self._limits.sessions:
            raise Refusal(
                429,
                f"All {self._limits.sessions} sessions are in use; delete one, or wait until one "
                f"was idle for {self._limits.idle:g} s.",
            )
        self._known[session.name] = session

    def drop(self, name: str) -> None:
        """Forget it."""
        found = self._find(name)
        del self._known[found.name]

    @contextmanager
    def working(self, name: str) -> Iterator[Session]:
        """The session of that name, for one request at a time."""
        session = self._find(name)
        if session.at_work:
            raise Refusal(
                429, "This session is at work for another request; wait until that is over."
            )
        session.at_work = True
        try:
            yield session
        finally:
            session.at_work, session.used = False, time.monotonic()

    def _find(self, name: str) -> Session:
        self._drop_idle()
        if name not in self._known:
            raise Refusal(404, "There is no such session, or it was idle too long; begin another.")
        return self._known[name]

    def _drop_idle(self) -> None:
        before = time.monotonic() - self._limits.idle
        self._known = {
            name: one for name, one in self._known.items() if one.at_work or one.used >= before
        }
