import gzip
import struct

import numpy as np
import pytest

from pastforward.data import DataConfig, ImageConfig
from pastforward.data.codec import PixelCodec
from pastforward.data.images import image_source
from pastforward.data.opening import open_data, open_source
from pastforward.errors import UsageError
from pastforward.types import Tokens

RNG = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def numbered(n: int, height: int = 3, width: int = 4) -> np.ndarray:
    """Images that tell their number in the first two of 256 levels."""
    images = RNG.integers(0, 256, (n, height, width), dtype=np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.arange(n) // 256, np.arange(n) % 256
    images[0, 1, 1] = 255
    return images


def numbers(batch) -> list[int]:
    return (batch.y[:, 0] * 256 + batch.y[:, 1]).tolist()


def test_an_epoch_shows_every_training_image_once_and_splits_are_disjoint():
    source = image_source("n", [numbered(100)], ImageConfig(256))
    drawn = [k for i in range(20) for k in numbers(source.batch(5, i, 8))]
    first, second = drawn[:80], drawn[80:]
    assert len(set(first)) == len(set(second)) == 80
    assert set(first) == set(second)
    assert first != second
    held = [k for s in ("valid", "test") for k in numbers(next(source.held_out(s, 99, 99)))]
    assert sorted(first + held) == list(range(100))
    assert len(held) == 20


def test_a_batch_may_span_epochs():
    source = image_source("n", [numbered(10)], ImageConfig(256))
    drawn = [k for i in range(8) for k in numbers(source.batch(0, i, 7))]
    assert [len(set(drawn[i : i + 8])) for i in range(0, 56, 8)] == [8] * 7
    assert drawn == numbers(source.batch(0, 0, 56))


def test_pixels_are_shifted_behind_the_start_symbol():
    images = numbered(30)
    source = image_source("n", [images], ImageConfig(256))
    assert (source.signature.inputs, source.signature.outputs) == (Tokens(257), Tokens(256))
    batch = source.batch(0, 0, 20)
    for n, x, y in zip(numbers(batch), batch.x.tolist(), batch.y.tolist(), strict=True):
        assert y == images[n].ravel().tolist()
        assert x == [256, *y[:-1]]
    assert batch.mask.all()


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    source = open_source("digits")
    assert source.describe()["sequences"] == {"train": 1297, "valid": 200, "test": 300}
    parts = [
        source.batch(0, 0, 1297),
        *(next(source.held_out(s, 999, 999)) for s in ("valid", "test")),
    ]
    rows = sorted(r for p in parts for r in p.y.tolist())
    assert rows == sorted(load_digits().data.astype(int).tolist())


@pytest.mark.parametrize("levels", [2, 3, 16, 17, 256])
def test_quantising_makes_equal_bins_and_round_trips(levels):
    codec = PixelCodec(1, levels, levels)
    symbols = list(range(levels))
    assert codec.encode(codec.decode(symbols)) == symbols
    for dtype in (np.float32, np.float64):
        greys = codec.decode(symbols).astype(dtype)
        source = image_source("n", [np.tile(greys[None], (3, 1, 1))], ImageConfig(levels))
        assert source.batch(0, 0, 1).y[0].tolist() == symbols


def test_eight_bits_to_sixteen_levels():
    source = image_source("n", [np.tile(np.arange(256).reshape(1, 16, 16), (3, 1, 1))])
    assert source.batch(0, 0, 1).y[0].tolist() == [v // 16 for v in range(256)]
    assert "0..255 quantised to 16" in source.describe()["origin"]


def test_levels_as_they_are_and_black_and_white():
    ramp = np.tile(np.arange(12).reshape(1, 3, 4), (3, 1, 1))
    source = image_source("n", [ramp])
    assert source.batch(0, 0, 1).y[0].tolist() == list(range(12))
    assert "as they are" in source.describe()["origin"]
    for array in (ramp % 2, ramp % 2 == 1):
        assert set(image_source("n", [array]).batch(0, 0, 1).y[0].tolist()) == {0, 15}


def test_pooling_averages_squares():
    images = RNG.random((5, 4, 6)).astype(np.float32)
    source = image_source("n", [images, images[:1]], ImageConfig(64, 2))
    (test,) = source.held_out("test", 9, 9)
    means = [images[0, i : i + 2, j : j + 2].mean() for i in (0, 2) for j in (0, 2, 4)]
    assert test.y[0].tolist() == [int(m * 64) for m in means]
    assert source.codec == PixelCodec(2, 3, 64)


@pytest.mark.parametrize("name", ["a-idx3-ubyte", "a-idx3-ubyte.gz", "odd.bin", "a.npy", "a.npz"])
def test_files_are_known_by_looking(tmp_path, name):
    images = numbered(40)
    path = tmp_path / name
    if name.endswith(".npy"):
        np.save(path, images)
    elif name.endswith(".npz"):
        np.savez(path, x=images, labels=np.arange(40))
    else:
        path.write_bytes(gzip.compress(idx(images)) if name.endswith("gz") else idx(images))
    source = open_data(DataConfig(str(path), options=ImageConfig(256)))
    assert source.signature.length == 12
    assert source.describe()["sequences"] == {"train": 32, "valid": 4, "test": 4}
    for n, y in zip(numbers(source.batch(0, 0, 9)), source.batch(0, 0, 9).y.tolist(), strict=True):
        assert y == images[n].ravel().tolist()


def test_folder_of_the_mnist_family(tmp_path):
    images = numbered(70)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images[:50]))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(50, np.uint8)))
    (tmp_path / "t10k-images.idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[50:])))
    source = open_data(DataConfig(str(tmp_path), options=ImageConfig(256)))
    assert source.describe()["sequences"] == {"train": 45, "valid": 5, "test": 20}
    assert numbers(next(source.held_out("test", 99, 99))) == list(range(50, 70))
    held = numbers(next(source.held_out("valid", 99, 99)))
    assert sorted(held + numbers(source.batch(0, 0, 45))) == list(range(50))


def test_npz_with_named_splits(tmp_path):
    images = numbered(9)
    np.savez(tmp_path / "a.npz", train_x=images[:5], val_x=images[5:7], test_x=images[7:])
    source = open_data(DataConfig(str(tmp_path / "a.npz"), options=ImageConfig(256)))
    assert numbers(next(source.held_out("valid", 9, 9))) == [5, 6]
    assert numbers(next(source.held_out("test", 9, 9))) == [7, 8]


@pytest.mark.parametrize(
    ("array", "options", "said"),
    [
        (np.zeros((5, 4)), {}, r"shape \(5, 4\); give images .* \[N, H, W\]"),
        (np.zeros((5, 4, 4, 3)), {}, r"\(5, 4, 4, 3\)"),
        (np.zeros((5, 0, 4)), {}, r"\(5, 0, 4\)"),
        (np.zeros((2, 4, 4)), {}, "2 images to train on; give at least 3"),
        (np.full((5, 4, 4), 300), {}, "values from 300 to 300; give integers from 0 to 255"),
        (np.full((5, 4, 4), -1), {}, "values from -1"),
        (np.full((5, 4, 4), 1.5), {}, "to 1.5; give"),
        (np.full((5, 4, 4), np.nan), {}, "from nan"),
        (np.full((5, 4, 4), np.inf), {}, "from inf"),
        (np.zeros((5, 4, 4), complex), {}, "holds complex128"),
        (np.zeros((5, 4, 4)), {"options": ImageConfig(pool=3)}, "Pool 3 was given .* of 4 x 4"),
        (np.zeros((5, 4, 4)), {"length": 10}, "Length 10 .* 16 steps; leave it out"),
        (np.array([None]), {}, "no readable array"),
    ],
)
def test_bad_arrays(tmp_path, array, options, said):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(UsageError, match=said):
        open_data(DataConfig(str(tmp_path / "a.npy"), **options))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"levels": 1}, "1 grey levels; give 2 to 256"),
        ({"levels": 500}, "500 grey levels"),
        ({"pool": 0}, "--data.pool is 0; give a finite number, 1 or more"),
    ],
)
def test_ranges_of_options(options, said):
    with pytest.raises(UsageError, match=said):
        ImageConfig(**options)


def test_bad_files(tmp_path):
    whole = idx(numbered(10))
    cases = {
        "a-idx3-ubyte": (whole[:-1], "holds 135 bytes where its IDX header asks for 136"),
        "b-idx3-ubyte": (whole + b"x", "truncated or damaged"),
        "c-idx3-ubyte": (whole[:7], "holds 7 bytes"),
        "d-idx3-ubyte": (b"hello world", "does not start like an IDX file .68 65"),
        "e-idx1-ubyte": (idx(np.zeros(9, np.uint8)), r"shape \(9,\)"),
        "f-idx3-ubyte.gz": (gzip.compress(whole)[:-12], "damaged gzip"),
        "g.npy": (b"hello", "no readable array"),
        "h.npz": (b"PK\x03\x04hello", "no readable array"),
        "i.npy": (b"", "is empty"),
    }
    for name, (data, said) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UsageError, match=said):
            open_source(str(tmp_path / name))
    (tmp_path / "z-idx3-ubyte").write_bytes(whole)
    with pytest.raises(UsageError, match="holds 6 IDX files"):
        open_source(str(tmp_path))


def test_npz_without_one_array_of_images(tmp_path):
    np.savez(tmp_path / "a.npz", a=numbered(4), b=numbered(4))
    with pytest.raises(UsageError, match=r"holds a \(4, 3, 4\), b \(4, 3, 4\); keep one"):
        open_source(str(tmp_path / "a.npz"))


def test_codec_refuses_other_sizes():
    with pytest.raises(UsageError, match=r"shape \(2, 2\) was given"):
        PixelCodec(2, 3, 4).encode(np.zeros((2, 2)))
    with pytest.raises(UsageError, match="5 pixels were given; an image of 2 x 3 needs 6"):
        PixelCodec(2, 3, 4).decode([0] * 5)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([], "given as 0 arrays; give one to three"),
        ([4] * 4, "given as 4 arrays"),
        ([1, 5], "holds 1 images to train on; give at least 2"),
        ([2], "holds 2 images to train on; give at least 3"),
    ],
)
def test_arrays_that_are_no_splits(sizes, said):
    with pytest.raises(UsageError, match=said):
        image_source("n", [numbered(max(n, 2))[:n] for n in sizes])
