"""L0. Linear recurrences, parallel over time: diagonal complex ones, and ones with matrices.

Diagonal: two neighbouring numbers of a memory are the real and imaginary part of one complex mode,
which each step multiplies by its own learned lambda = exp(-decay + i frequency), as in diagonal
state spaces (S4D, Gu et al. 2022, arXiv 2206.11893). Chunked scan: intra-chunk matmul, then
inter-chunk carry; there is no loop over time. Where every step has a matrix of its own, chunks of
about sqrt(T) steps are scanned side by side.
"""

from math import ceil, isqrt, pi

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.errors import UsageError
from pastforward.memory import take
from pastforward.pieces import Piece
from pastforward.types import MemoryShape

_CHUNK = 32


def chunk_length(length: int) -> int:
    """Steps of a chunk: at least sqrt(T), so that inter-chunk matrices are no larger than that."""
    return min(length, max(_CHUNK, isqrt(length)))


class DiagonalRecurrence(nn.Module):
    """m_t = lambda m_{t-1} + gain w_t for memories `[K * D]` with an even D.

    The gain is sqrt(1 - |lambda|^2), so that slow and fast modes have the same stationary variance
    (LRU, Orvieto et al. 2023, arXiv 2303.06349, section 3.4).
    """

    def __init__(
        self, memory: MemoryShape, fastest: float, slowest: float, turn: float = 1.0
    ) -> None:
        """Initial decay times are log-uniform between `fastest` and `slowest` steps, initial
        frequencies uniform between 0 and `turn` half turns a step.

        Raises `UsageError` for an odd D.
        """
        super().__init__()
        if memory.width % 2:
            raise UsageError(
                f"A linear recurrence takes numbers of a slot in pairs, and D = {memory.width}; "
                "give an even --student.width, or --encoder registers."
            )
        self.modes = memory.size // 2
        frequency = turn * pi * (torch.arange(self.modes) + 0.5) / self.modes
        # Frequencies are dealt out in turn, so that every slot has low and high ones.
        self.frequency = nn.Parameter(frequency.view(-1, memory.slots).T.flatten())
        times = fastest * (slowest / fastest) ** torch.rand(self.modes)
        self.log_decay = nn.Parameter(-times.log())

    def forward(self, w: Float[Tensor, "batch steps size"]) -> Float[Tensor, "batch steps size"]:
        """m_1..m_n from w_1..w_n and m_0 = 0; in full precision, as errors would add up."""
        with torch.autocast(w.device.type, enabled=False):
            return self._scan(_rows(self.gain() * w).t().contiguous(), *w.shape[:2])

    def of_states(
        self, h: Float[Tensor, "batch steps width"], write: nn.Linear
    ) -> Float[Tensor, "batch steps size"]:
        """The same from w_t = write(h_t), which are made in the layout that the scan reads."""
        if torch.is_autocast_enabled(h.device.type):  # then the product is not in full precision
            return self(write(h))
        gain, rows = self.gain().unsqueeze(1), _rows(h).t()
        w = (gain * write.weight) @ rows
        return self._scan(w if write.bias is None else w + gain * write.bias[:, None], *h.shape[:2])

    def _scan(self, w: Float[Tensor, "size rows"], batch: int, steps: int) -> Tensor:
        """From what is written in the order of `_rows`."""
        chunk = chunk_length(steps)
        chunks = ceil(steps / chunk)
        m = self._intra_chunk(w.view(self.modes, 2 * chunk, -1), chunk)
        if chunks > 1:
            m = self._inter_chunk(m, chunks, chunk)
        # Two copies, of a matrix and of rows, are several times faster than one of five axes.
        m = m.view(2 * self.modes, -1).t().contiguous()
        m = m.view(chunk, chunks, batch, -1).permute(2, 1, 0, 3)
        return m.reshape(batch, chunks * chunk, -1)[:, :steps]

    def of_piece(
        self, w: Float[Tensor, "batch steps size"], piece: Piece,
        start: Float[Tensor, "... size"] | None = None,
    ) -> Float[Tensor, "batch memories size"]:  # fmt: skip
        """m_begin..m_end of a piece, from the writes of its own steps; each process gives one m.

        `start` is m_0. Where it is None, the first piece also has a write at step 0.
        """
        m = self(w)
        if start is not None:  # in every piece's graph: FSDP2 sums gradients that all have
            m = m + (0.0 if piece.number else 1.0) * self.extrapolate(start, w.shape[1])
        # All pieces do the same, so that they exchange gradients in the same order.
        lasts, lags = piece.gathered(m[:, -1]), [max(0, piece.begin - end) for end in piece.ends]
        before = self.turned(lasts, torch.tensor(lags, device=w.device)[:, None])
        earlier = torch.arange(len(lags), device=w.device) < piece.number
        before = (before * earlier[:, None, None]).sum(0)
        m = m + self.extrapolate(before, w.shape[1])
        if piece.number:
            return torch.cat([before.unsqueeze(1), m], 1)
        return m if start is None else torch.cat([start.expand(len(w), 1, -1), m], 1)

    def extrapolate(
        self, m: Float[Tensor, "... size"], steps: int
    ) -> Float[Tensor, "... steps size"]:
        """lambda m, lambda^2 m, ...: the memories of the next steps when nothing is written."""
        return self.turned(m.unsqueeze(-2), torch.arange(1, steps + 1, device=m.device))

    def turned(self, m: Float[Tensor, "... size"], steps: Int[Tensor, "..."]) -> Tensor:
        """lambda to the power of `steps` >= 0 times m."""
        return multiply_modes(m, self._mode_powers(steps))

    def sums(
        self, x: Float[Tensor, "batch steps channels"], times: Int[Tensor, "batch count"]
    ) -> Float[Tensor, "batch count channels size"]:
        """sum over j of lambda^(t - j) x_j at the given times t in 0..n, for every channel of x.

        One matrix product, and no memory of another step.
        """
        lag = torch.arange(x.shape[1], device=x.device)
        step = times[..., None] - 1 - lag  # which lies `lag` back from t; negative before the first
        recent = take(x, step.clamp(min=0)) * (step >= 0)[..., None]
        with torch.autocast(x.device.type, enabled=False):
            return recent.transpose(2, 3) @ self._mode_powers(lag)

    def _mode_powers(self, steps: Int[Tensor, "..."]) -> Float[Tensor, "... size"]:
        """lambda to the power of `steps` as pairs of numbers."""
        n = steps[..., None]
        size, angle = torch.exp(-n * self.log_decay.exp()), n * self.frequency
        return torch.stack([size * angle.cos(), size * angle.sin()], -1).flatten(-2)

    def gain(self) -> Float[Tensor, " size"]:
        """sqrt(1 - |lambda|^2) of both numbers of every mode."""
        lost = -torch.expm1(-2 * self.log_decay.exp())
        return lost.sqrt().repeat_interleave(2)

    def _intra_chunk(self, w: Tensor, chunk: int) -> Tensor:
        """Memories of all steps of every chunk, each chunk started from 0."""
        t = torch.arange(chunk, device=w.device)
        return self._powers(t[:, None] - t) @ w

    def _inter_chunk(self, m: Tensor, chunks: int, chunk: int) -> Tensor:
        """Add to every step what the memory at the end of the chunk before has become."""
        n = torch.arange(chunks, device=m.device)
        last = m.view(self.modes, 2, chunk, -1)[:, :, -1].reshape(self.modes, 2 * chunks, -1)
        carried = self._powers(chunk * (n[:, None] - n - 1)) @ last
        since = 1 + torch.arange(chunk, device=m.device)[:, None]
        return torch.baddbmm(m, self._powers(since), carried.reshape(self.modes, 2, -1))

    def _powers(self, steps: Int[Tensor, "i j"]) -> Float[Tensor, "modes 2*i 2*j"]:
        """lambda to the power of `steps` as real matrices; 0 where `steps` is negative."""
        power = steps.clamp(min=0)
        size = torch.exp(-power * self.log_decay.exp()[:, None, None]) * (steps >= 0)
        angle = power * self.frequency[:, None, None]
        re, im = size * angle.cos(), size * angle.sin()
        return torch.cat([torch.cat([re, -im], 2), torch.cat([im, re], 2)], 1)


def _rows(x: Float[Tensor, "batch steps size"]) -> Float[Tensor, "rows size"]:
    """Rows by step of a chunk, chunk and sequence; the last chunk is filled up with zeros."""
    batch, steps, size = x.shape
    chunk = chunk_length(steps)
    x = F.pad(x, (0, 0, 0, -steps % chunk))
    return x.view(batch, -1, chunk, size).permute(2, 1, 0, 3).reshape(-1, size)


def multiply_modes(
    a: Float[Tensor, "... size"], b: Float[Tensor, "... size"]
) -> Float[Tensor, "... size"]:
    """Complex products of modes, each a pair of numbers; leading axes are broadcast."""
    (re, im), (cos, sin) = (pairs.unflatten(-1, (-1, 2)).unbind(-1) for pairs in (a, b))
    return torch.stack([re * cos - im * sin, re * sin + im * cos], -1).flatten(-2)


def matrix_recurrence(
    a: Float[Tensor, "batch steps heads n n"],
    w: Float[Tensor, "batch steps heads n v"],
    start: Float[Tensor, "batch 1 heads n v"],
) -> Float[Tensor, "batch steps1 heads n v"]:
    """M_0 = `start` and M_t = A_t M_{t-1} + W_t for all t, in about 2 sqrt(T) serial steps.

    Chunked scan: within all chunks of about sqrt(T) steps at once, the products of their A and
    what they add to a matrix that starts at 0; then the carry from chunk to chunk.
    """
    batch, steps, heads, n, v = w.shape
    if not steps:
        return start
    chunk = isqrt(steps - 1) + 1
    chunks = ceil(steps / chunk)
    moves = F.pad(torch.cat([a, w], -1), (0, 0) * 3 + (0, chunks * chunk - steps))
    moves = moves.view(batch, chunks, chunk, heads, n, n + v).permute(2, 1, 0, 3, 4, 5)
    scanned = [moves[0]]  # [A_t .. A_1 | M_t from 0] of every chunk
    for move in moves[1:]:
        scanned.append(move[..., :n] @ scanned[-1] + F.pad(move[..., n:], (n, 0)))
    # [chunk, chunks, batch, heads, n, n or v]
    product, written = torch.stack(scanned).split([n, v], -1)
    carried = [start[:, 0]]
    for last_product, last_written in zip(product[-1, :-1], written[-1, :-1], strict=True):
        carried.append(last_product @ carried[-1] + last_written)
    m = product @ torch.stack(carried) + written
    m = m.permute(2, 1, 0, 3, 4, 5).flatten(1, 2)
    return torch.cat([start, m[:, :steps]], 1)


def matrices_of_piece(
    a: Float[Tensor, "batch steps heads n n"],
    w: Float[Tensor, "batch steps heads n v"],
    start: Float[Tensor, "batch 1 heads n v"],
    piece: Piece,
) -> Float[Tensor, "batch steps1 heads n v"]:
    """M_begin..M_end of a piece; `start` is M_0. Each process gives one product and one M."""
    n, v = w.shape[-2:]
    identity = torch.eye(n, n + v, device=a.device, dtype=a.dtype).expand(
        *start.shape[:3], n, n + v
    )
    # [A_t .. A_begin+1 | what the piece has written]
    moved = matrix_recurrence(a, F.pad(w, (n, 0)), identity)
    before = start[:, 0]
    # All pieces do the same, so that they exchange gradients in the same order.
    for number, part in enumerate(piece.gathered(moved[:, -1])):
        product, written = part.split([n, v], -1)
        before = torch.lerp(before, product @ before + written, float(number < piece.number))
    product, written = moved.split([n, v], -1)
    return product @ before.unsqueeze(1) + written
