"""L1. What text is written in: bytes, characters, or the tokens of a tokenizer."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pastforward.data import BPE, TextDials
from pastforward.data.cache import kept
from pastforward.data.characters import characters
from pastforward.data.corpus import Part
from pastforward.data.documents import sample, unescaped
from pastforward.data.files import optional_package, read_bytes
from pastforward.data.mapped import release
from pastforward.data.text_codec import TextCodec, TokenCodec, loaded
from pastforward.errors import UsageError
from pastforward.files import expanded

MOST_CHARACTERS = 128
_TRAINED_ON, _CHECKED_ON = 2**24, 2**16
"""Bytes of the training part that byte pairs are counted in; on which a tokenizer is checked."""
_END = "<|endoftext|>"
"""Name of the symbol between documents, where the text has none."""


def is_tokens(unit: str) -> bool:
    """Is it a unit of tokens?"""
    return unit.startswith(BPE) or unit.endswith(".json")


def token_codec(name: str, train: Part, options: TextDials, end: str | None) -> TokenCodec:
    """The tokens that `options.unit` names, for text of which `train` is the training part.

    Raises `UsageError` where `tokenizers` isn't installed, or the file is no tokenizer or loses
    text.
    """
    if options.unit.startswith(BPE):
        return TokenCodec(_trained(train, options, end), end)
    codec = TokenCodec(read_tokenizer(options.unit), end)
    _require_lossless(options.unit, codec, train)
    return codec


def characters_codec(
    name: str, parts: Sequence[Part], unit: str, end: str | None, known: TextCodec | None
) -> TextCodec:
    """Characters, or bytes where `unit` is 'auto' and there are many; those of `known` if given.

    Raises `UsageError` for what is no UTF-8, or has other characters than `known`.
    """
    found = "".join(sorted(set().union(*(_characters(name, part) for part in parts))))
    if known is not None:
        unknown = sorted(set(found) - set(known.characters or ""))
        if unknown:
            raise UsageError(
                f"The text '{name}' holds characters that the text trained on did not: "
                f"{unknown[:8]}; put back the data that it was trained on, or leave them out."
            )
        return known
    few = unit == "chars" or len(found) <= MOST_CHARACTERS
    return TextCodec(found if few else None, end)


def _characters(name: str, part: Part) -> set[str]:
    """All that occur, those between documents too."""
    if not part.is_large:
        return characters(name, part.values)

    def write(folder: Path) -> dict[str, Any]:
        found = characters(name, part.values)
        release(part.values)
        return {"characters": "".join(sorted(found))}

    return set(kept("characters", {"text": part.checksum}, write).facts["characters"])


def _trained(train: Part, options: TextDials, end: str | None) -> str:
    def write(folder: Path) -> dict[str, Any]:
        texts = (t.decode(errors="replace") for t in sample(train, _TRAINED_ON))
        size = int(options.unit.removeprefix(BPE))
        special = [*([] if end is None else [end or _END]), *map(unescaped, options.special)]
        (folder / "tokenizer.json").write_text(train_bpe(texts, size, special), encoding="utf-8")
        return {}

    key = {"text": train.checksum, "unit": options.unit, "end": end, "special": options.special}
    found = kept("tokenizers", key, write).folder / "tokenizer.json"
    return found.read_text(encoding="utf-8")


def train_bpe(texts: Iterator[str], size: int, special: Sequence[str] = ()) -> str:
    """The tokenizer.json of byte pair encoding with at most `size` symbols: the same for the same
    texts.

    Every text has tokens, as the 256 bytes are among them. Texts in `special` are a symbol each,
    and no part of another.
    """
    tokenizers = optional_package("tokenizers", "tokens", f"{BPE}{size}")
    found = tokenizers.Tokenizer(tokenizers.models.BPE())
    bytes_alone = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.pre_tokenizer, found.decoder = bytes_alone, tokenizers.decoders.ByteLevel()
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), initial_alphabet=letters, show_progress=False
    )
    if special:
        between = re.compile("|".join(map(re.escape, sorted(special, key=len, reverse=True))))
        texts = (part for text in texts for part in between.split(text))
    found.train_from_iterator(texts, trainer)
    return found.to_str()


def read_tokenizer(path: str) -> str:
    """The content of a tokenizer.json; raises `UsageError` for what is none."""
    given = expanded(path)
    if not given.is_file():
        raise UsageError(
            f"--data.unit is '{path}', and there is no such file; give a tokenizer.json of Hugging "
            "Face's tokenizers, or bpe:4096."
        )
    try:
        content = bytes(read_bytes(given)).decode()
        loaded(content)
        json.loads(content)["model"]["vocab"]
    except UsageError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"'{path}' is no tokenizer ({str(error)[:200]}); give a tokenizer.json of Hugging "
            "Face's tokenizers, or bpe:4096."
        ) from error
    return content


def _require_lossless(path: str, codec: TokenCodec, train: Part) -> None:
    """Bits a byte would say nothing of a tokenizer that drops spaces or capitals."""
    pieces = codec.pieces
    texts = [text.decode(errors="replace") for text in sample(train, _CHECKED_ON)]
    for text, symbols in zip(texts, codec.encode_all(texts), strict=True):
        back = b"".join(pieces[symbol] for symbol in symbols).decode(errors="replace")
        if text not in (back, back.removeprefix(" ")):
            at = next((i for i, pair in enumerate(zip(text, back, strict=False))
                       if pair[0] != pair[1]), 0)  # fmt: skip
            raise UsageError(
                f"The tokenizer '{path}' loses text: {text[at : at + 24]!r} comes back as "
                f"{back[at : at + 24]!r}; give one that keeps every byte, as byte-level BPE does."
            )
