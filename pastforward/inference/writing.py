"""L3. Text and images from a stream."""

import codecs
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from pastforward.data.codec import Codec, PixelCodec, SymbolCodec
from pastforward.data.text_codec import SymbolsOfText
from pastforward.errors import UsageError
from pastforward.inference.sampling import PLAIN, Sampling
from pastforward.inference.stream import Stream


def continue_text(
    stream: Stream, codec: Codec, prompt: str, count: int, generator: torch.Generator,
    sampling: Sampling = PLAIN,
) -> str:  # fmt: skip
    """`count` symbols after `prompt`, or those up to the end of the document, as text.

    Raises `UsageError` for an empty prompt, one with symbols that the codec does not know, or a
    codec of images or series.
    """
    return "".join(stream_text(stream, codec, prompt, count, generator, sampling))


def stream_text(
    stream: Stream, codec: Codec, prompt: str, count: int, generator: torch.Generator,
    sampling: Sampling = PLAIN,
) -> Iterator[str]:  # fmt: skip
    """As `continue_text`, but as it comes, a character as soon as all of its bytes are there."""
    if not isinstance(codec, SymbolsOfText | SymbolCodec):
        raise UsageError(
            f"A {type(codec).__name__} was given, which has no text to continue; give a student of "
            "text or symbols."
        )
    if not prompt:
        raise UsageError("An empty prompt was given; give at least one character.")
    m = stream.start(1)
    m, _ = stream.feed(m, torch.tensor([codec.encode(prompt)], device=m.device))
    drawn = _drawn(stream, m, count, generator, sampling)
    if isinstance(codec, SymbolCodec):
        return (f"{' ' * (place > 0)}{symbol}" for place, symbol in enumerate(drawn))
    return _written(codec, drawn)


def _drawn(
    stream: Stream, m: Tensor, count: int, generator: torch.Generator, sampling: Sampling
) -> Iterator[int]:
    stream.require_feedback(count, sampling)
    for _ in range(count):
        y, m = stream.generate(m, 1, generator, sampling)
        yield int(y)


def _written(codec: SymbolsOfText, symbols: Iterator[int]) -> Iterator[str]:
    """The text of symbols up to the end of the document; bytes that are no UTF-8 are U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for symbol in symbols:
        if symbol == codec.end:
            break
        if text := decoder.decode(codec.pieces[symbol]):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


def until(texts: Iterator[str], stop: Sequence[str]) -> Iterator[str]:
    """The texts before the first of `stop`; what may be the start of one waits for what follows."""
    waiting = ""
    for text in texts:
        waiting += text
        found = [place for one in stop if (place := waiting.find(one)) >= 0]
        if found:
            if ready := waiting[: min(found)]:
                yield ready
            return
        kept = max((_overlap(waiting, one) for one in stop), default=0)
        ready, waiting = waiting[: len(waiting) - kept], waiting[len(waiting) - kept :]
        if ready:
            yield ready
    if waiting:
        yield waiting


def _overlap(text: str, stop: str) -> int:
    """Characters at the end of `text` with which `stop` may begin."""
    sizes = range(min(len(text), len(stop) - 1), 0, -1)
    return next((size for size in sizes if text.endswith(stop[:size])), 0)


def complete_images(
    stream: Stream, codec: PixelCodec, given: Int[Tensor, "batch given"],
    generator: torch.Generator, sampling: Sampling = PLAIN,
) -> Int[Tensor, "batch pixels"]:  # fmt: skip
    """Draw the pixels after the first ones `given`: levels `[B, H * W]`, the given ones included.

    Raises `UsageError` when no pixel is left to draw.
    """
    left = codec.height * codec.width - given.shape[1]
    if left < 1:
        raise UsageError(f"{given.shape[1]} pixels were given and none is left; give fewer.")
    m = stream.start(len(given))
    start = torch.full((len(given), 1), codec.levels, device=m.device)
    x = torch.cat([start, given.to(m.device)], 1)
    m, _ = stream.feed(m, x)
    y = stream.generate(m, left, generator, sampling).y
    return torch.cat([x[:, 1:], y], 1)


def draw_images(
    stream: Stream, codec: PixelCodec, count: int, generator: torch.Generator,
    sampling: Sampling = PLAIN,
) -> Int[Tensor, "batch pixels"]:  # fmt: skip
    """`count` new images, levels `[count, H * W]`."""
    nothing = torch.zeros(count, 0, dtype=torch.long)
    return complete_images(stream, codec, nothing, generator, sampling)
