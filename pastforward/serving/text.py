"""L6. Symbols to text as they come: whole characters alone, and nothing after a stop."""

import codecs
from collections.abc import Sequence

from pastforward.data.codec import SymbolCodec
from pastforward.data.text_codec import SymbolsOfText


class Pieces:
    """Text of symbols, one by one; a character is given out once all of its bytes are there."""

    def __init__(self, codec: SymbolsOfText | SymbolCodec) -> None:
        self._codec = codec
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.end = codec.end if isinstance(codec, SymbolsOfText) else None
        """The symbol that ends a document."""

    def add(self, symbol: int) -> str:
        """What one more symbol completes: a character, several, or nothing yet."""
        if isinstance(self._codec, SymbolCodec):
            return f" {symbol}"
        return self._decoder.decode(self._codec.pieces[symbol])


class Stops:
    """Gives text out up to the first of some strings; holds back what could begin one."""

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings, self._held = [s for s in strings if s], ""
        self.reached = False

    def add(self, text: str) -> str:
        """What may be given out now."""
        if self.reached:
            return ""
        self._held += text
        found = [at for s in self._strings if (at := self._held.find(s)) >= 0]
        if found:
            self.reached, out = True, self._held[: min(found)]
            self._held = ""
            return out
        kept = max((self._begun(s) for s in self._strings), default=0)
        out, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return out

    def rest(self) -> str:
        """What was held back and began none."""
        out, self._held = self._held, ""
        return out

    def _begun(self, string: str) -> int:
        """How many of the last letters begin `string`."""
        most = min(len(string) - 1, len(self._held))
        return next((n for n in range(most, 0, -1) if self._held.endswith(string[:n])), 0)
