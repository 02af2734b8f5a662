"""L1. Text as bytes or characters, each predicted from those before it."""

from typing import Any, final

import numpy as np
from typing_extensions import override

from pastforward.data.codec import TextCodec
from pastforward.data.references import symbol_references
from pastforward.data.source import Splits
from pastforward.data.windows import WindowSource, fit_length
from pastforward.types import Signature, Tokens


@final
class TextSource(WindowSource):
    """Text: x_t is a symbol, y_t the next one."""

    codec: TextCodec
    dtype = np.int64

    def __init__(
        self, name: str, splits: Splits, codec: TextCodec, length: int | None, origin: str
    ) -> None:
        """`splits` hold symbols `[N]`; `UsageError` when one is shorter than a sequence."""
        self._kind = "bytes" if codec.characters is None else "characters"
        length = fit_length(f"The text '{name}'", splits, length, self._kind)
        symbols = Tokens(codec.size)
        super().__init__(name, Signature(symbols, symbols, length), codec)
        self.splits = splits
        self._origin = origin

    @override
    def references(self) -> dict[str, float]:
        outputs = (self.splits.train, self.test_outputs())
        return symbol_references(*(np.bincount(s, minlength=self.codec.size) for s in outputs))

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "origin": self._origin,
            "kind": self._kind,
            "vocabulary": self.codec.size,
            "symbols": {k: len(v) for k, v in self.splits._asdict().items()},
            "sequences": self.sequence_counts(),
        }
