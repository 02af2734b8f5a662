"""L3. Codecs of tokens as tokenizers of Hugging Face, with the same numbers for the same text."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pastforward.data.codec import Codec, PixelCodec
from pastforward.data.text_codec import SymbolsOfText, TextCodec, TokenCodec
from pastforward.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, END = "<|pad|>", "<|endoftext|>"
"""Names of the symbols that stand for no text: padding, and the end of a document without one."""
_SAMPLE = "The quick brown fox, 1984:\n\t caf\u00e9 \u20ac \U0001f600  \u4e2d\u6587"


def write_tokenizer(codec: Codec, symbols: int, folder: Path) -> None:
    """tokenizer.json and its settings; raises `UsageError` where its numbers are not the codec's.

    `symbols` are those that the network reads.
    """
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(codec, symbols), padding_side="left",
        clean_up_tokenization_spaces=False, model_input_names=["input_ids", "attention_mask"],
        **_special(codec),
    )  # fmt: skip
    made.save_pretrained(folder)
    _require_same(codec, PreTrainedTokenizerFast.from_pretrained(folder), symbols)


def special_ids(codec: Codec, symbols: int) -> dict[str, int]:
    """For generation: what pads, ends and begins sequences. Padding is a symbol of no embedding."""
    end = codec.end if isinstance(codec, SymbolsOfText) else None
    found = {"pad_token_id": symbols if end is None else end}
    if end is not None:
        found["eos_token_id"] = end
    return found | ({"bos_token_id": codec.levels} if isinstance(codec, PixelCodec) else {})


def _tokenizer(codec: Codec, symbols: int) -> "Tokenizer":
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    if isinstance(codec, TokenCodec):  # without what its file would add to every text
        nothing = {"post_processor": None, "padding": None, "truncation": None}
        return Tokenizer.from_str(json.dumps(json.loads(codec.tokenizer) | nothing))
    if not isinstance(codec, TextCodec):  # numbers with spaces between
        numbers = Tokenizer(models.WordLevel({str(i): i for i in range(symbols)}))
        numbers.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return numbers
    if codec.characters is None:
        found = Tokenizer(models.BPE(_letters(), []))
        found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        found.decoder = decoders.ByteLevel()
        return found
    found = Tokenizer(models.WordLevel({c: i for i, c in enumerate(codec.characters)}))
    found.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    found.decoder = decoders.Fuse()
    return found


def _letters() -> dict[str, int]:
    """The letters by which byte-level tokenizers write bytes, in the order of the bytes.

    Printable ones of Latin-1 stand for themselves; the others are written, in their order, as the
    characters from U+0100 on.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    letters |= {byte: chr(0x100 + place) for place, byte in enumerate(others)}
    return {letters[byte]: byte for byte in range(256)}


def _special(codec: Codec) -> dict[str, Any]:
    """Tokens that begin, end and pad, and whether text that holds their letters is text."""
    end = codec.document_end if isinstance(codec, SymbolsOfText) else None
    found: dict[str, Any] = {"pad_token": PAD}
    if end is not None:  # one that ends pads, too: no symbol is added to those that are known
        found = {"pad_token": end or END, "eos_token": end or END}
    if isinstance(codec, PixelCodec):  # an image begins with a symbol of its own
        found["bos_token"] = str(codec.levels)
    literal = not isinstance(codec, TokenCodec) and not end
    return found | {"split_special_tokens": literal}


def _require_same(codec: Codec, tokenizer: Any, symbols: int) -> None:
    if isinstance(codec, SymbolsOfText):
        text = _SAMPLE
        if isinstance(codec, TextCodec):
            all_of_them = "".join(map(chr, range(1, 0x250))) + text + PAD + END
            text = codec.characters or all_of_them
        text += codec.document_end or ""
        expected = codec.encode(text)
    else:
        text, expected = " ".join(map(str, range(symbols))), list(range(symbols))
    found = tokenizer(text)["input_ids"]
    lossless = isinstance(codec, TokenCodec) or tokenizer.decode(found) == text
    if found != expected or not lossless:
        raise UsageError(
            "The tokenizer that was written gives other numbers than the student's codec, and was "
            "not kept; report it with the versions of tokenizers and transformers that pip shows."
        )
