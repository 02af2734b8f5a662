"""Arrays of your own, with an output at every step: which of two sine waves is being heard?

    python examples/own_arrays.py

A source is a class with four methods. Batch i is a pure function of (seed, i), so that runs can be
resumed exactly.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import pastforward as pf


class Recordings(pf.Source):
    """Sequences x `[N, T, C]` of real vectors with a class y `[N, T]` at every step."""

    def __init__(self, x: np.ndarray, y: np.ndarray, classes: int) -> None:
        signature = pf.Signature(pf.Vectors(x.shape[2]), pf.Tokens(classes), x.shape[1])
        super().__init__("recordings", signature, pf.SymbolCodec(classes))
        cut = np.split(np.arange(len(x)), [int(0.8 * len(x)), int(0.9 * len(x))])
        self.parts = dict(zip(("train", "valid", "test"), cut, strict=True))
        self.x, self.y = torch.from_numpy(x).float(), torch.from_numpy(y).long()

    def batch(self, seed: int, index: int, size: int) -> pf.Batch:
        """`size` training sequences drawn at random."""
        generator = np.random.default_rng([abs(seed), index])
        return self._take(generator.choice(self.parts["train"], size))

    def held_out(self, split: str, size: int, limit: int) -> Iterator[pf.Batch]:
        """Sequences of 'valid' or 'test', `size` at a time."""
        rows = self.parts[split][:limit]
        return (self._take(rows[i : i + size]) for i in range(0, len(rows), size))

    def references(self) -> dict[str, float]:
        """Nats per output of predicting the frequencies of classes."""
        counts = np.bincount(self.y[self.parts["train"]].flatten())
        share = counts / counts.sum()
        return {"unigram": float(-(share * np.log(share)).sum())}

    def describe(self) -> dict[str, Any]:
        """What a run's page says of the data."""
        counts = {name: len(rows) for name, rows in self.parts.items()}
        return {"name": self.name, "kind": "arrays", "sequences": counts}

    def _take(self, rows: np.ndarray) -> pf.Batch:
        y = self.y[rows]
        return pf.Batch(self.x[rows], y, torch.ones_like(y, dtype=torch.bool))


def waves(count: int = 512, length: int = 64) -> Recordings:
    """Noisy sines of two frequencies in two channels; the class is the same at every step."""
    random = np.random.default_rng(0)
    wave = random.integers(0, 2, count)
    step = 0.3 + 0.2 * wave[:, None]
    phase = random.uniform(0, 2 * np.pi, (count, 1)) + step * np.arange(length)
    clean = np.stack([np.sin(phase), np.cos(phase)], 2)
    noisy = clean + random.normal(0, 0.3, clean.shape)
    return Recordings(noisy, np.repeat(wave[:, None], length, 1), classes=2)


def main(budget: pf.Budget | None = None) -> None:
    """Train a GRU on the waves; thirty seconds when no budget is given."""
    budget = budget or pf.Budget(seconds=30)
    run = pf.train(waves(), cell="gru", name="own-arrays", budget=budget, if_exists="overwrite")
    score = run.evaluate().student
    last = score.by_position[-1]
    print(f"{score.accuracy:.1%} right over all steps, {last:.3f} nats at the last one")
    print(f"Page: {run.report()}")


if __name__ == "__main__":
    main()
