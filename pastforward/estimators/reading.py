"""L6. From arrays to a source to train on, and from a student to its outputs."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pastforward.data import LabelledConfig
from pastforward.data.codec import LabelCodec, SymbolCodec
from pastforward.data.labelled import Arrays, LabelledSource, labelled
from pastforward.errors import UsageError
from pastforward.estimators.arrays import (
    are_symbols,
    as_symbols,
    as_vectors,
    channels,
    symbol_count,
)
from pastforward.inference.last_outputs import batches_by_length, last_outputs
from pastforward.student import Student
from pastforward.types import Kind, Tokens, Vectors
from pastforward.watching import watched

INPUTS = "auto", "symbols", "vectors"


def as_asked(X: Arrays, inputs: str | int) -> tuple[Arrays, int | None]:
    """X as symbols, and how many there are, or as vectors, and None.

    Raises `UsageError` where `inputs` is none of `INPUTS`, nor a number of symbols that fits X.
    """
    if isinstance(inputs, int) and inputs > 0:
        return as_symbols(X, inputs), inputs
    if inputs not in INPUTS:
        raise UsageError(
            f"inputs is {inputs!r}; give one of {', '.join(INPUTS)}, or the number of symbols."
        )
    if inputs == "symbols" or (inputs == "auto" and are_symbols(X)):
        return as_symbols(X), symbol_count(X)
    return as_vectors(X), None


def as_read(kind: Kind, X: Arrays) -> Arrays:
    """X as a student reads it whose inputs are of `kind`; raises `UsageError` where it can't."""
    if isinstance(kind, Tokens):
        return as_symbols(X, kind.size)
    assert isinstance(kind, Vectors)
    if channels(X) != kind.width:
        raise UsageError(
            f"Sequences of {channels(X)} channels were given where fit had {kind.width}; give the "
            "same ones."
        )
    return as_vectors(X)


def source_of(
    X: Arrays, y: np.ndarray, held: np.ndarray, inputs: str | int,
    options: LabelledConfig | None = None, weights: np.ndarray | None = None,
) -> LabelledSource:  # fmt: skip
    """Sequences to train on, without those of `held`, which are evaluated. Views, no copies.

    y is a class or number of each sequence, `[N]`, or flags or numbers `[N, n_outputs]`. In
    training each sequence is shown as often as `weights` `[N]` say.
    """
    X, size = as_asked(X, inputs)
    kept = np.delete(np.arange(len(X)), held)
    if len(held):
        valid = [X[i] for i in held.tolist()], y[held]
        train = [X[i] for i in kept.tolist()], y[kept]
    else:  # nothing is evaluated, but a source has such parts
        train, valid = (X, y), (X[:1], y[:1])
    options = replace(options or LabelledConfig(), at="end")
    source = labelled(*train, valid=valid, test=valid, options=options)
    if weights is not None:
        source.weigh(weights[kept])
    if size is not None:  # held-out sequences may have symbols that the others lack
        source.codec = replace(source.codec, inputs=SymbolCodec(size))
        source.signature = replace(source.signature, inputs=Tokens(size))
    return source


def held_out(y: np.ndarray, fraction: float, classes: bool, random: np.random.RandomState):
    """Rows `[n]` to hold out, of all classes alike; at least one of each class is left."""
    if not 0 <= fraction < 1:
        raise UsageError(
            f"validation_fraction is {fraction}; give 0 (train on all) or more, but less than 1."
        )
    order = random.permutation(len(y))
    if classes:  # every so-many-th row in the order of classes, but the first of each
        order = order[np.argsort(y[order], kind="stable")]
        order = order[np.flatnonzero(y[order][1:] == y[order][:-1]) + 1]
    count = min(len(order), max(1, round(fraction * len(y)))) if fraction else 0
    count = min(count, len(y) - 1)
    return np.sort(order[np.linspace(0, len(order), count, endpoint=False).astype(int)])


def outputs(student: Student, codec: LabelCodec, X: Arrays) -> Tensor:
    """Output parameters `[N, P]` at the end of each sequence, on the CPU."""
    X = as_read(student.signature.inputs, X)
    lengths = torch.tensor([len(row) for row in X])
    device = next(student.parameters()).device
    order = list(batches_by_length(lengths.tolist()))
    found = []
    for rows in watched(order, "reading", len(X), len):
        x = _padded([codec.inputs_of(X[i]) for i in rows.tolist()])
        found.append(last_outputs(student, x.to(device), lengths[rows].to(device)).cpu())
    return torch.cat(found)[np.argsort(np.concatenate(order))]


def _padded(rows: list[np.ndarray]) -> Tensor:
    whole = np.zeros((len(rows), max(map(len, rows)), *rows[0].shape[1:]), rows[0].dtype)
    for place, row in zip(whole, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(whole)
