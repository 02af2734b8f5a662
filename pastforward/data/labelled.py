"""L1. Labelled sequences from arrays: what they are is found from their types and shapes."""

from typing import Any, NamedTuple

import numpy as np

from pastforward.data import LabelledConfig
from pastforward.data.buckets import bucket_ends
from pastforward.data.codec import InputCodec, LabelCodec, SeriesCodec
from pastforward.data.dividing import divide
from pastforward.data.inputs import Moments, as_before, input_codec, symbol_count, texts_as_symbols
from pastforward.data.label_telling import told
from pastforward.data.labelled_source import LabelledSource, Part, Parts
from pastforward.data.meaning import CLASSES, FLAGS, NUMBERS, Meaning, meaning_of
from pastforward.data.sequences import Arrays
from pastforward.data.targets import Given, Whole
from pastforward.errors import UsageError
from pastforward.types import Flags, Kind, Quantiles, Signature, Tokens, Vectors

__all__ = ["LabelledSource", "labelled"]


class Reading(NamedTuple):
    """What was read, of arrays or a file."""

    name: str
    parts: dict[str, Given]
    """Of 'train', and 'valid' and 'test' where they are there."""
    inputs: InputCodec | None = None
    """Where symbols of x have names or places."""
    columns: tuple[str, ...] = ()
    """Names of the channels of x."""
    targets: tuple[str, ...] = ()
    """Names of flags."""
    how: str = ""
    """How it was read, for people."""
    size: tuple[int, int] | None = None
    """Height and width of images, in whose rows the steps are."""


def labelled(
    x: Arrays, y: Arrays, *, mask: Arrays | None = None, lengths: Any = None,
    valid: tuple[Any, ...] | None = None, test: tuple[Any, ...] | None = None,
    options: LabelledConfig | None = None, name: str = "arrays",
) -> LabelledSource:  # fmt: skip
    """Labelled sequences from arrays, which are read in place.

    x is ints `[N, T]` (symbols), floats `[N, T]` or `[N, T, C]` (vectors), strings, or a list of
    arrays of several lengths. y is a class (ints, strings, bools) or a number (floats) for each
    sequence, `[N]`, or for each step, `[N, T]`; several numbers or flags, `[N, C]` or `[N, T, C]`.
    `mask` `[N, T]` says which targets per step count, `lengths` `[N]` where sequences end.

    `valid` and `test` are (x, y) or (x, y, mask, lengths); where missing, a tenth of the sequences
    each is cut from the others, in one fixed order and with classes in their shares. Raises
    `UsageError` for arrays that are nothing of these, or hold no finite numbers.
    """
    parts = {"train": Given(x, y, mask, lengths)}
    for split, given in (("valid", valid), ("test", test)):
        if given is not None:
            parts[split] = Given(*given)
    return build(Reading(name, parts), options or LabelledConfig())


def build(
    reading: Reading, options: LabelledConfig, length: int | None = None,
    known: LabelCodec | None = None,
) -> LabelledSource:  # fmt: skip
    """The source of what was read, by the scale, symbols and classes of `known` if given.

    Raises `UsageError` as `labelled` does, for another `length` than that of the longest, and for
    symbols and classes that `known` lacks.
    """
    names, before = list(reading.parts), known and known.inputs
    givens, texts = texts_as_symbols(list(reading.parts.values()), before)
    wheres = ["" if name == "train" else f"{name} " for name in names]
    wholes = [Whole(g, w, options.flags, options.at) for g, w in zip(givens, wheres, strict=True)]
    meaning = meaning_of(reading.name, wholes, options.flags)
    if known is not None and meaning.kind == CLASSES:
        meaning = meaning.among(reading.name, known.classes)
    parts = _parts(reading, dict(zip(names, wholes, strict=True)), meaning)
    found, missing = input_codec(list(parts), options.missing == "mean", reading.columns)
    inputs = reading.inputs or texts or as_before(reading.name, found, before)
    classes = reading.targets if meaning.kind == FLAGS and reading.targets else meaning.names()
    scale = _scale(parts, meaning) if known is None else (known.mean, known.std)
    codec = LabelCodec(inputs, classes, *scale)
    lengths = np.concatenate([part.lengths for part in parts])
    ends = bucket_ends(lengths)
    kinds = _input_kind(inputs), _output_kind(meaning, options)
    steps, weights = _length(reading.name, ends[-1], length), _weights(parts[0], meaning, options)
    cut = [n for n in ("valid", "test") if n not in names]
    facts = told(parts, meaning, codec, ends, missing) | {
        "origin": f"{reading.name}{reading.how and ', '}{reading.how}",
        "splits": f"cut from the training sequences: {', '.join(cut)}" if cut else "as given",
    }
    facts |= dict(zip(("height", "width"), reading.size or (), strict=False))
    signature = Signature(*kinds, steps, weights)
    source = LabelledSource(reading.name, parts, signature, codec, meaning, ends, facts)
    source.scale = reading.how if reading.inputs is not None else ""
    return source


def _parts(reading: Reading, wholes: dict[str, Whole], meaning: Meaning) -> Parts:
    train = wholes["train"]
    count, missing = len(train.x), 3 - len(wholes)
    at_end = meaning.kind == CLASSES and not meaning.every_step
    strata = meaning.codes(train.counted(np.arange(count))) if at_end else np.zeros(count, int)
    members = None
    if meaning.kind == CLASSES and meaning.every_step and missing:
        members = _members(train, meaning)
    rows, *cut = divide(reading.name, strata, missing, members)

    def held_out(split: str) -> Part:
        if split in wholes:
            return Part(wholes[split], np.arange(len(wholes[split].x)))
        return Part(train, cut.pop(0))

    return Part(train, rows), held_out("valid"), held_out("test")


def _members(whole: Whole, meaning: Meaning) -> np.ndarray:
    """`[N, K]`, whether a sequence has steps of a class."""
    found = np.zeros((len(whole.x), meaning.width), bool)
    for row in range(len(whole.x)):
        found[row, meaning.codes(whole.counted(np.array([row])))] = True
    return found


def _scale(parts: Parts, meaning: Meaning) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of training targets; `UsageError` for held-out ones far off."""
    if meaning.kind != NUMBERS:
        return (), ()
    fitted = Moments(meaning.width)
    for number, part in enumerate(parts):
        moments = fitted if number == 0 else Moments(meaning.width)
        for _, values in part.whole.targets(part.rows):
            moments.add(values.reshape(-1, meaning.width))
        moments.require_near(fitted, f"{part.whole.where}y")
    return fitted.read()


def _input_kind(codec: InputCodec) -> Tokens | Vectors:
    if isinstance(codec, SeriesCodec):
        return Vectors(len(codec.columns))
    return Tokens(symbol_count(codec))


def _output_kind(meaning: Meaning, options: LabelledConfig) -> Kind:
    if options.quantiles and meaning.kind != NUMBERS:
        raise UsageError(
            f"Quantiles {options.quantiles} were asked for, but targets are {meaning.kind}; leave "
            "them out, or give y as floats."
        )
    if meaning.kind == CLASSES:
        return Tokens(meaning.width)
    if meaning.kind == FLAGS:
        return Flags(meaning.width)
    width, levels = meaning.width, options.quantiles
    return Quantiles(width, levels) if levels else Vectors(width)


def _weights(train: Part, meaning: Meaning, options: LabelledConfig) -> tuple[float, ...] | None:
    if options.class_weight == "none":
        return None
    if meaning.kind != CLASSES:
        raise UsageError(
            f"Balanced class weights were asked for, but targets are {meaning.kind}, not classes; "
            "leave them out."
        )
    codes = meaning.codes(train.whole.counted(train.rows))
    rarity = 1.0 / np.bincount(codes, minlength=meaning.width)
    return tuple((rarity / rarity.mean()).tolist())


def _length(name: str, longest: int, length: int | None) -> int:
    if length not in (None, longest):
        raise UsageError(
            f"Length {length} was given for '{name}', whose longest sequence has {longest} steps; "
            "leave it out."
        )
    return longest
