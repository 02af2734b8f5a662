"""L4. Samples of labelled data: what a network said of held-out sequences, and how soon."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from pastforward.analysis.evaluate import frozen, on_device
from pastforward.baselines.base import Network
from pastforward.data.codec import InputCodec, LabelCodec, PixelCodec, SeriesCodec
from pastforward.data.source import Source
from pastforward.outputs import class_probabilities, most_likely
from pastforward.types import Batch, Flags, Kind, Tokens

_SEQUENCES, _BATCH, _SHOWN = 256, 64, 4


@dataclass(frozen=True)
class Example:
    """A held-out sequence and what the network said of it."""

    inputs: np.ndarray | str
    """Numbers `[T, C]` in the data's units, greys `[H, W]` or colours `[H, W, 3]`, or text."""
    said: str
    """The true answer and the network's."""
    right: bool
    """Classes: is every answer right? Numbers: is it among those nearest to the truth?"""
    course: np.ndarray
    """`[T]`, at each step, of the next output that counts: its true answer's probability, of flags
    the mean over them; of numbers the error in standard deviations. NaN where none follows."""


@dataclass(frozen=True)
class LabelSamples:
    """A few sequences that were got right and wrong, and the mean over many."""

    right: list[Example]
    wrong: list[Example]
    course: np.ndarray
    """`[T]`, mean over sequences as long as that."""
    sequences: int
    chance: float | None
    """Probability of each class where all are alike; None for numbers."""
    images: bool
    """Are inputs images?"""
    answers: np.ndarray | None
    """`[n, 2]`: of numbers the first of each sequence's last output, true and predicted."""


@dataclass(frozen=True)
class _Answered:
    """A sequence with its answers, all `[n]` or `[n, C]`, and how good they are."""

    x: Tensor
    true: Tensor
    predicted: Tensor
    course: np.ndarray
    goodness: float
    """Share of right answers; of numbers the mean error, negated."""


def label_samples(network: Network, source: Source) -> LabelSamples:
    """Examples among the first test sequences, those got right of as many classes as there are."""
    kind, codec = network.signature.outputs, source.codec
    assert isinstance(codec, LabelCodec)
    found = [one for batch in _batches(network, source) for one in _answers(kind, *batch)]
    about = source.describe()
    shape = about.get("height", 0), about.get("width", 0)
    best, worst = _chosen(found, isinstance(kind, Tokens | Flags))

    def shown(one: _Answered, right: bool) -> Example:
        said = _said(codec, kind, one)
        return Example(inputs_of(codec.inputs, one.x, shape), said, right, one.course)

    return LabelSamples(
        [shown(one, True) for one in best], [shown(one, False) for one in worst],
        _mean_course(found), len(found), _chance(kind),
        any(_is_image(codec.inputs, one.x, shape) for one in found[:1]),
        None if isinstance(kind, Tokens | Flags) else _first_numbers(codec, found),
    )  # fmt: skip


def inputs_of(codec: InputCodec, x: Tensor, shape: tuple[int, int]) -> np.ndarray | str:
    """What the network read, as people know it; an image where `shape` (H, W) fits."""
    if isinstance(codec, PixelCodec):
        return codec.decode(x.tolist()) if _is_image(codec, x, shape) else x[:, None].numpy()
    if not isinstance(codec, SeriesCodec):
        return codec.decode(x.tolist())
    values = codec.decode(x.double().numpy())
    if not _is_image(codec, x, shape):
        return values
    low, high = values.min(), values.max()
    scaled = (values - low) / (high - low if high > low else 1.0)
    return (
        scaled.reshape(*shape) if scaled.size == shape[0] * shape[1] else scaled.reshape(*shape, 3)
    )


def coming(
    y: Tensor, mask: Bool[Tensor, "batch length"]
) -> tuple[Tensor, Bool[Tensor, "batch length"]]:
    """At each step the next output that counts, of the shape of y, and whether there is one."""
    length = mask.shape[1]
    steps = torch.arange(length, device=mask.device).where(mask, length)
    after: Int[Tensor, "batch length"] = steps.flip(1).cummin(1).values.flip(1)
    rows = torch.arange(len(y), device=y.device)[:, None]
    return y[rows, after.clamp(max=length - 1)], after < length


def _is_image(codec: InputCodec, x: Tensor, shape: tuple[int, int]) -> bool:
    if isinstance(codec, PixelCodec):
        return len(x) == codec.height * codec.width
    pixels = shape[0] * shape[1]
    return isinstance(codec, SeriesCodec) and pixels > 0 and x.numel() in (pixels, 3 * pixels)


def _batches(network: Network, source: Source) -> Iterator[tuple[Tensor, Batch]]:
    """The network's output parameters and the batch."""
    with frozen(network):
        for batch in source.held_out("test", _BATCH, _SEQUENCES):
            moved = on_device(batch, network)
            yield network(moved.x)[0], moved


@torch.inference_mode()
def _answers(kind: Kind, parameters: Tensor, batch: Batch) -> Iterator[_Answered]:
    predicted = most_likely(kind, parameters)
    wanted, known = coming(batch.y, batch.mask)
    course = _course(kind, parameters, wanted).where(known, torch.nan).float().cpu().numpy()
    for row, mask in enumerate(batch.mask):
        if not mask.any():
            continue
        end = int(mask.nonzero().max()) + 1
        true, said = batch.y[row][mask].cpu(), predicted[row][mask].cpu()
        good = (
            (said == true).double().mean()
            if isinstance(kind, Tokens | Flags)
            else (-(said - true).abs().double().mean())
        )
        yield _Answered(batch.x[row, :end].cpu(), true, said, course[row, :end], float(good))


def _course(kind: Kind, parameters: Tensor, wanted: Tensor) -> Tensor:
    """`[B, T]`: the probability of the true class, or the mean error."""
    if isinstance(kind, Tokens):
        return class_probabilities(kind, parameters).gather(-1, wanted[..., None])[..., 0]
    if isinstance(kind, Flags):
        yes = class_probabilities(kind, parameters)
        return yes.where(wanted > 0.5, 1.0 - yes).mean(-1)
    return (most_likely(kind, parameters) - wanted).abs().mean(-1)


def _mean_course(found: Sequence[_Answered]) -> np.ndarray:
    longest = max(len(one.course) for one in found)
    total, count = np.zeros((2, longest))
    for one in found:
        there = np.isfinite(one.course)
        total[: len(there)] += np.where(there, one.course, 0.0)
        count[: len(there)] += there
    return np.where(count > 0, total / np.maximum(count, 1.0), np.nan)


def _chosen(found: Sequence[_Answered], classes: bool) -> tuple[list[_Answered], list[_Answered]]:
    """The best, one of each answer before a second of any, and the worst."""
    seen, ranked = Counter[tuple](), []
    for one in found:
        answer = tuple(one.true.flatten().tolist())
        ranked.append((-one.goodness, seen[answer], len(ranked)))
        seen[answer] += 1
    best = [found[number] for *_, number in sorted(ranked)[:_SHOWN]]
    worst = sorted(found, key=lambda one: one.goodness)[:_SHOWN]
    if not classes:
        return best, worst
    return [o for o in best if o.goodness == 1.0], [o for o in worst if o.goodness < 1.0]


def _first_numbers(codec: LabelCodec, found: Sequence[_Answered]) -> np.ndarray:
    pairs = [[one.true[-1, 0].item(), one.predicted[-1, 0].item()] for one in found]
    return np.array(pairs) * codec.std[0] + codec.mean[0]


def _chance(kind: Kind) -> float | None:
    if isinstance(kind, Tokens):
        return 1.0 / kind.size
    return 0.5 if isinstance(kind, Flags) else None


def _said(codec: LabelCodec, kind: Kind, one: _Answered) -> str:
    if len(one.true) > 1:
        if isinstance(kind, Tokens | Flags):
            return f"{one.goodness:.0%} of {len(one.true)} right"
        return f"error {-one.goodness:.3g} standard deviations, mean of {len(one.true)}"
    true, said = (_answer(codec, kind, of[0]) for of in (one.true, one.predicted))
    same = isinstance(kind, Tokens | Flags) and one.goodness == 1.0
    return true if same else f"{true}; said {said}"


def _answer(codec: LabelCodec, kind: Kind, value: Tensor) -> str:
    if isinstance(kind, Tokens):
        return codec.classes[int(value)]
    if isinstance(kind, Flags):
        chosen = [name for name, flag in zip(codec.classes, value > 0.5, strict=True) if flag]
        return " + ".join(chosen) or "none"
    numbers = value.double().numpy() * np.array(codec.std) + np.array(codec.mean)
    return ", ".join(f"{number:.4g}" for number in numbers)
