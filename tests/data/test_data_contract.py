"""The contract of sources, over one table of them."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from pastforward.data import ImageConfig, TextConfig
from pastforward.data.codec import codec_from_json, codec_to_json
from pastforward.data.images import image_source
from pastforward.data.labelled import labelled
from pastforward.data.opening import open_source
from pastforward.data.series import SeriesSource
from pastforward.data.text import text_source
from pastforward.errors import UsageError
from pastforward.types import Batch, Tokens

RNG = np.random.default_rng(0)
PROSE = "".join(RNG.choice(list("abcdé \n"), 3000))
SOURCES = {
    "digits": lambda: open_source("digits"),
    "pydoc": lambda: open_source("pydoc", 48),
    "copy": lambda: open_source("copy:12"),
    "reversed_copy": lambda: open_source("reversed_copy:12"),
    "retrieval": lambda: open_source("retrieval:10"),
    "key_values": lambda: open_source("key_values:10,pairs=3,symbols=4"),
    "stack": lambda: open_source("stack:12,depth=3,symbols=4"),
    "modular": lambda: open_source("modular:12,every=4"),
    "parity": lambda: open_source("parity:12"),
    "s5": lambda: open_source("s5:12"),
    "recency": lambda: open_source("recency:12,symbols=4"),
    "primacy": lambda: open_source("primacy:12,symbols=4"),
    "chars": lambda: text_source("prose", [PROSE.encode()], TextConfig(), 20),
    "bytes": lambda: text_source("prose", [PROSE.encode()], TextConfig("bytes"), 20),
    "images": lambda: image_source("noise", [RNG.random((40, 4, 6))], ImageConfig(8, 2)),
    "classes": lambda: labelled(RNG.normal(size=(90, 6, 2)), np.arange(90) % 3),
    "steps": lambda: labelled(RNG.integers(0, 4, (90, 6)), RNG.integers(0, 3, (90, 6))),
    "numbers": lambda: labelled(RNG.normal(size=(90, 6)), RNG.normal(2, 3, (90, 2))),
    "series": lambda: SeriesSource("walk", RNG.normal(3, 2, (900, 2)), ("a", "b"), 15),
}


@pytest.fixture(params=SOURCES, scope="module")
def source(request):
    return SOURCES[request.param]()


def equal(a: Batch, b: Batch) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def test_batch_has_the_shapes_and_ranges_of_the_signature(source):
    t = source.signature.length
    batch = source.batch(0, 0, 5)
    assert batch.mask.shape == (5, t)
    assert batch.mask.dtype == torch.bool
    for values, kind in ((batch.x, source.signature.inputs), (batch.y, source.signature.outputs)):
        if isinstance(kind, Tokens):
            assert values.shape == (5, t)
            assert values.dtype == torch.int64
            assert 0 <= values.min() <= values.max() < kind.size
        else:
            assert values.shape == (5, t, kind.width)
            assert values.dtype == torch.float32


def test_batch_is_pure(source):
    first = source.batch(3, 7, 4)
    source.batch(4, 0, 4)
    source.batch(3, 500, 4)
    np.random.seed(9)
    torch.manual_seed(1)
    assert equal(first, source.batch(3, 7, 4))


def test_another_seed_or_index_is_another_batch(source):
    first = source.batch(3, 7, 8)
    for seed, index in ((3, 8), (4, 7), (-3, 7), (7, 3)):
        assert not equal(first, source.batch(seed, index, 8))


def test_held_out_is_fixed_limited_and_cut_in_sizes(source):
    for split in ("valid", "test"):
        whole = Batch(*map(torch.cat, zip(*source.held_out(split, 1, 5), strict=True)))
        count = len(whole.x)
        assert 1 <= count <= 5
        parts = list(source.held_out(split, 2, 5))
        assert [len(p.x) for p in parts] == [2] * (count // 2) + [1] * (count % 2)
        assert equal(whole, Batch(*map(torch.cat, zip(*parts, strict=True))))
    assert not equal(next(source.held_out("valid", 4, 4)), next(source.held_out("test", 4, 4)))


def test_held_out_refuses_other_splits(source):
    with pytest.raises(UsageError, match=r"'tets'.*did you mean 'test'"):
        source.held_out("tets", 2, 4)
    with pytest.raises(UsageError, match="'train'"):
        source.held_out("train", 2, 4)


def test_references_by_brute_force(source):
    references = source.references()
    test = list(source.held_out("test", 64, 10**9))
    y, mask = torch.cat([b.y for b in test]), torch.cat([b.mask for b in test])
    if "gaussian" in references and isinstance(source, SeriesSource):
        return  # by brute force in test_data_series.py
    if "gaussian" in references:
        # Training targets are standardised, so the Gaussian is the standard one.
        normal = torch.distributions.Normal(0.0, 1.0)
        assert references["gaussian"] == pytest.approx(
            -normal.log_prob(y[mask]).sum(-1).mean().item(), 1e-4
        )
        return
    size = source.signature.outputs.size
    assert references["uniform"] == pytest.approx(math.log(size))
    counts = np.zeros(size)
    for index in range(60):
        batch = source.batch(1, index, 64)
        np.add.at(counts, batch.y[batch.mask].numpy(), 1)
    # Sampled frequencies stand for those of the whole split, hence the tolerance.
    smoothed = counts / counts.sum() * training_outputs(source) + 1
    losses = -np.log(smoothed / smoothed.sum())[y[mask].numpy()]
    assert references["unigram"] == pytest.approx(losses.mean(), abs=0.02)
    assert (
        0.0
        <= references.get("best", 0.0)
        <= min(references["uniform"], references["unigram"]) + 1e-12
    )


def training_outputs(source) -> float:
    told = source.describe()
    if told["kind"] == "task":
        return 1e9
    if told["kind"] == "labelled":
        return sum(of["train"] for of in told["classes"].values())
    if told["kind"] == "pixels":
        return told["sequences"]["train"] * source.signature.length
    return told["symbols"]["train"]


def test_codec_survives_json(source):
    assert codec_from_json(json.loads(json.dumps(codec_to_json(source.codec)))) == source.codec


def test_describe_is_json(source):
    told = json.loads(json.dumps(source.describe()))
    assert told["name"] == source.name
    assert told["origin"]
    counted = {k: sum(len(b.x) for b in source.held_out(k, 64, 10**9)) for k in ("valid", "test")}
    assert counted.items() <= told["sequences"].items()


def test_importing_the_package_leaves_slow_and_optional_ones_alone():
    code = "import sys, pastforward.data; sys.exit(bool({'sklearn', 'datasets'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
