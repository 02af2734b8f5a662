"""Small files of labelled sequences, one of each format."""

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import wavfile

COUNT, STEPS = 40, 12


def waves(seed: int = 0, count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    """Noisy sines `[N, T, 2]` of two frequencies, and which."""
    random = np.random.default_rng(seed)
    y = np.arange(count) % 2
    angle = np.linspace(0, 6, STEPS) * (1 + y[:, None]) + random.uniform(0, 1, (count, 1))
    x = np.stack([np.sin(angle), np.cos(angle)], -1) + 0.1 * random.normal(size=(count, STEPS, 2))
    return x.astype(np.float32), y


def write_npz(path: Path) -> None:
    (x, y), (x_test, y_test) = waves(), waves(1, 10)
    np.savez(path, x_train=x, y_train=y, x_test=x_test, y_test=y_test)


def write_npy(folder: Path) -> None:
    folder.mkdir()
    x, y = waves()
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)


def write_colours(path: Path) -> None:
    random = np.random.default_rng(0)
    y = np.arange(COUNT) % 2
    x = random.integers(0, 100, (COUNT, 4, 4, 3), np.uint8)
    x[..., 0] += (100 * y).astype(np.uint8)[:, None, None]
    np.savez(path, x=x, y=y)


def write_ts(folder: Path, labels: str = "true slow fast") -> None:
    folder.mkdir()
    for part, seed in (("TRAIN", 0), ("TEST", 1)):
        lines = [
            "@problemName waves", "@timeStamps false", "@missing false", "@univariate false",
            "@dimensions 2", "@equalLength false", f"@classLabel {labels}", "@data",
        ]  # fmt: skip
        for i, (x, y) in enumerate(zip(*waves(seed), strict=True)):
            steps = STEPS - i % 4
            channels = [",".join(f"{v:.4f}" for v in x[:steps, c]) for c in range(2)]
            name = [["slow", "fast"][y]] if labels.startswith("true") else []
            lines.append(":".join([*channels, *name]))
        (folder / f"waves_{part}.ts").write_text("\n".join(lines) + "\n")


def write_csv(path: Path) -> None:
    """Rows in no order; a class and a number a series."""
    rows = [
        [f"s{i:02}", step, *map(float, x[step]), ["slow", "fast"][y], float(x.sum())]
        for i, (x, y) in enumerate(zip(*waves(), strict=True))
        for step in range(STEPS - i % 4)
    ]
    np.random.default_rng(0).shuffle(rows)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["series", "t", "sin", "cos", "speed", "sum"], *rows])


def write_parquet(path: Path) -> None:
    import pandas

    write_csv(path.with_suffix(".csv"))
    pandas.read_csv(path.with_suffix(".csv")).to_parquet(path)


def write_idx(folder: Path) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, count in (("train", COUNT), ("t10k", 10)):
        y = (np.arange(count) % 2).astype(np.uint8)
        x = random.integers(0, 100, (count, 4, 6), np.uint8) + 100 * y[:, None, None]
        for name, array in ((f"{part}-images-idx3-ubyte", x), (f"{part}-labels-idx1-ubyte", y)):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / f"{name}.gz").write_bytes(gzip.compress(head + array.tobytes()))


def write_sounds(folder: Path, classes: tuple[str, ...] = ("low", "high")) -> None:
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(10):
            samples = np.sin(np.arange(200 + 10 * i) * (number + 1) / 10)
            wavfile.write(folder / name / f"{i}.wav", 8000, (20_000 * samples).astype(np.int16))


WRITERS: dict[str, Callable[[Path], None]] = {
    "waves.npz": write_npz, "waves": write_npy, "colours.npz": write_colours, "archive": write_ts,
    "waves.csv": write_csv, "waves.parquet": write_parquet, "mnist": write_idx,
    "sounds": write_sounds,
}  # fmt: skip
"""By the name of a file or folder."""
