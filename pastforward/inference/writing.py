"""L3. Text and images from a stream."""

import torch
from jaxtyping import Int
from torch import Tensor

from pastforward.data.codec import Codec, PixelCodec, SymbolCodec, TextCodec
from pastforward.errors import UsageError
from pastforward.inference.sampling import PLAIN, Sampling
from pastforward.inference.stream import Stream


def continue_text(
    stream: Stream, codec: Codec, prompt: str, count: int, generator: torch.Generator,
    sampling: Sampling = PLAIN,
) -> str:  # fmt: skip
    """`count` symbols after `prompt`, as text.

    Raises `UsageError` for an empty prompt, one with symbols that the codec does not know, or a
    codec of images or series.
    """
    if not isinstance(codec, TextCodec | SymbolCodec):
        raise UsageError(
            f"A {type(codec).__name__} was given, which has no text to continue; give a student of "
            "text or symbols."
        )
    if not prompt:
        raise UsageError("An empty prompt was given; give at least one character.")
    m = stream.start(1)
    m, _ = stream.feed(m, torch.tensor([codec.encode(prompt)], device=m.device))
    y = stream.generate(m, count, generator, sampling).y
    return codec.decode(y[0].tolist())


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
