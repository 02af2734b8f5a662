"""L3. Codecs of tokens as tokenizers of Hugging Face, with the same numbers for the same text."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pastforward.data.codec import Codec, PixelCodec, TextCodec
from pastforward.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD = "<|pad|>"
"""Of no symbol: its number is the first after them. Text that holds these letters is text."""


def write_tokenizer(codec: Codec, symbols: int, folder: Path) -> None:
    """tokenizer.json and its settings; raises `UsageError` where its numbers are not the codec's.

    `symbols` are those that the network reads.
    """
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(codec, symbols), pad_token=PAD, padding_side="left",
        split_special_tokens=True, clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"], **_ends(codec),
    )  # fmt: skip
    made.save_pretrained(folder)
    _require_same(codec, PreTrainedTokenizerFast.from_pretrained(folder), symbols)


def _tokenizer(codec: Codec, symbols: int) -> "Tokenizer":
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

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


def _ends(codec: Codec) -> dict[str, Any]:
    """An image begins with a symbol of its own."""
    return {"bos_token": str(codec.levels)} if isinstance(codec, PixelCodec) else {}


def _require_same(codec: Codec, tokenizer: Any, symbols: int) -> None:
    if isinstance(codec, TextCodec):
        text = codec.characters or "".join(map(chr, range(1, 0x250))) + " \u20ac \U0001f600\n" + PAD
        expected = codec.encode(text)
    else:
        text, expected = " ".join(map(str, range(symbols))), list(range(symbols))
    found = tokenizer(text)["input_ids"]
    if found != expected or tokenizer.decode(found) != text:
        raise UsageError(
            "The tokenizer that was written gives other numbers than the student's codec, and was "
            "not kept; report it with the versions of tokenizers and transformers that pip shows."
        )
