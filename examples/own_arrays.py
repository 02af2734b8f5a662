"""Arrays of your own, with an output at every step: which of two sine waves is being heard?

    python examples/own_arrays.py

A source is a class with four methods. Batch i must be a pure function of (seed, i): then runs can be
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
        """Nats per output of predicting the classes' frequencies."""
        share = np.bincount(self.y[self.parts["train"]].flatten()) / self.y[0].numel()
        share = share / share.sum()
        return {"unigram": float(-(share * np.log(share)).sum())}

    def describe(self) -> dict[str, Any]:
        """What a run's page says of the data."""
        return {
            "name": self.name,
            "kind": "arrays",
            "sequences": {k: len(v) for k, v in self.parts.items()},
        }

    def _take(self, rows: np.ndarray) -> pf.Batch:
        y = self.y[rows]
        return pf.Batch(self.x[rows], y, torch.ones_like(y, dtype=torch.bool))


def waves(count: int = 512, length: int = 64) -> Recordings:
    """Noisy sines of two frequencies with two channels; the class is the same at every step."""
    random = np.random.default_rng(0)
    label = random.integers(0, 2, count)
    phase = random.uniform(0, 2 * np.pi, (count, 1)) + np.arange(length) * (
        0.3 + 0.2 * label[:, None]
    )
    x = np.stack([np.sin(phase), np.cos(phase)], 2) + random.normal(0, 0.3, (count, length, 2))
    return Recordings(x, np.repeat(label[:, None], length, 1), classes=2)


def main(budget: pf.Budget = pf.Budget(seconds=30), name: str = "own-arrays") -> None:
    data = waves()
    run = pf.train(data, cell="gru", name=name, budget=budget, if_exists="overwrite")
    score = run.evaluate().student
    last = score.by_position[-1]
    print(f"{score.accuracy:.1%} right over all steps, {last:.3f} nats at the last one")
    print(f"Page: {run.report()}")


if __name__ == "__main__":
    main()
