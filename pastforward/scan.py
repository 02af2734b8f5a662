"""L0. Linear recurrences, all steps at once: pairs of numbers that turn and fade, and matrices.

Two neighbours of a memory are one complex number, which a step multiplies by a learned lambda =
exp(-fade + i turn) of its own, as in diagonal state spaces (Gu et al. 2022, arXiv 2206.11893).
Sequences are cut into pieces: one matrix moves what is written within a piece to all its steps, one
what stands at the ends of pieces to the next, so that there is no loop over time. Where every step
moves memories by a matrix of its own, pieces of sqrt(T) steps are run side by side.
"""

from math import ceil, isqrt, pi

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pastforward.errors import UsageError
from pastforward.types import MemoryShape

_CHUNK = 32


def chunk_of(length: int) -> int:
    """Steps of a piece: matrices are then no larger than the sequence itself."""
    return min(length, max(_CHUNK, isqrt(length)))


class DiagonalRecurrence(nn.Module):
    """m_t = lambda m_{t-1} + gain w_t for memories `[K * D]` with an even D.

    The gain is sqrt(1 - |lambda|^2), as in Orvieto et al. 2023 (arXiv 2303.06349).
    """

    def __init__(self, memory: MemoryShape, least: float, most: float) -> None:
        """At the start numbers fade within `least` to `most` steps, evenly on a scale of powers.

        Raises `UsageError` for an odd D.
        """
        super().__init__()
        if memory.width % 2:
            raise UsageError(
                f"A linear recurrence takes numbers of a slot in pairs, and D = {memory.width}; "
                "give an even --student.width, or --teacher.encoder registers."
            )
        self.count = memory.size // 2
        householder_steps = pi * (torch.arange(self.count) + 0.5) / self.count
        self.turn = nn.Parameter(
            householder_steps.view(-1, memory.slots).T.flatten()
        )  # a slot has all kinds
        steps = least * (most / least) ** torch.rand(self.count)
        self.log_fade = nn.Parameter(-steps.log())

    def forward(self, w: Float[Tensor, "batch steps size"]) -> Float[Tensor, "batch steps size"]:
        """m_1..m_n from w_1..w_n and m_0 = 0."""
        batch, steps = w.shape[:2]
        chunk = chunk_of(steps)
        chunks = ceil(steps / chunk)
        w = F.pad(self._gain() * w, (0, 0, 0, chunks * chunk - steps))
        # [pairs, (re, im) of the steps of a piece, pieces * batch]
        w = w.view(batch, chunks, chunk, self.count, 2).permute(3, 4, 2, 1, 0)
        m = self._within(w.reshape(self.count, 2 * chunk, -1), chunk)
        if chunks > 1:
            m = self._carry(m, chunks, chunk)
        m = m.view(self.count, 2, chunk, chunks, batch).permute(4, 3, 2, 0, 1)
        return m.reshape(batch, chunks * chunk, -1)[:, :steps]

    def ahead(self, m: Float[Tensor, "... size"], steps: int) -> Float[Tensor, "... steps size"]:
        """lambda m, lambda^2 m, ...: what a memory becomes when nothing is written."""
        far = torch.arange(1, steps + 1, device=m.device)[:, None]
        size, angle = torch.exp(-far * self.log_fade.exp()), far * self.turn
        re, im = m.unsqueeze(-2).unflatten(-1, (-1, 2)).unbind(-1)
        cos, sin = size * angle.cos(), size * angle.sin()
        return torch.stack([re * cos - im * sin, re * sin + im * cos], -1).flatten(-2)

    def _gain(self) -> Float[Tensor, " size"]:
        """What gives numbers that fade fast and slowly the same variance in the long run."""
        lost = -torch.expm1(-2 * self.log_fade.exp())
        return lost.sqrt().repeat_interleave(2)

    def _within(self, w: Tensor, chunk: int) -> Tensor:
        """Memories of all steps of every piece, as if nothing were before it."""
        at = torch.arange(chunk, device=w.device)
        return self._powers(at[:, None] - at) @ w

    def _carry(self, m: Tensor, chunks: int, chunk: int) -> Tensor:
        """The same with what stood in memory when each piece began."""
        at = torch.arange(chunks, device=m.device)
        ends = m.view(self.count, 2, chunk, -1)[:, :, -1].reshape(self.count, 2 * chunks, -1)
        begun = self._powers(chunk * (at[:, None] - at - 1)) @ ends
        since = 1 + torch.arange(chunk, device=m.device)[:, None]
        return torch.baddbmm(m, self._powers(since), begun.reshape(self.count, 2, -1))

    def _powers(self, steps: Int[Tensor, "i j"]) -> Float[Tensor, "pairs 2i 2j"]:
        """lambda to the power of `steps` as real matrices; 0 where it is negative."""
        far = steps.clamp(min=0)
        size = torch.exp(-far * self.log_fade.exp()[:, None, None]) * (steps >= 0)
        angle = far * self.turn[:, None, None]
        re, im = size * angle.cos(), size * angle.sin()
        return torch.cat([torch.cat([re, -im], 2), torch.cat([im, re], 2)], 1)


def matrix_recurrence(
    a: Float[Tensor, "batch steps heads n n"],
    w: Float[Tensor, "batch steps heads n v"],
    start: Float[Tensor, "batch 1 heads n v"],
) -> Float[Tensor, "batch steps1 heads n v"]:
    """M_0 = `start` and M_t = A_t M_{t-1} + W_t for all t, in about 2 sqrt(T) steps.

    Within every piece of about sqrt(T) steps at once: what its first steps did to any matrix, and
    what they wrote. Then from piece to piece, and what stood at a piece's start into all its steps.
    """
    batch, steps, heads, n, v = w.shape
    if not steps:
        return start
    chunk = isqrt(steps - 1) + 1
    chunks = ceil(steps / chunk)
    moves = F.pad(torch.cat([a, w], -1), (0, 0) * 3 + (0, chunks * chunk - steps))
    moves = moves.view(batch, chunks, chunk, heads, n, n + v).permute(2, 1, 0, 3, 4, 5)
    done = [moves[0]]
    for move in moves[1:]:
        done.append(move[..., :n] @ done[-1] + F.pad(move[..., n:], (n, 0)))
    turned, written = torch.stack(done).split([n, v], -1)  # [piece, pieces, batch, heads, n, :]
    begun = [start[:, 0]]
    for end, wrote in zip(turned[-1, :-1], written[-1, :-1], strict=True):
        begun.append(end @ begun[-1] + wrote)
    m = turned @ torch.stack(begun) + written
    m = m.permute(2, 1, 0, 3, 4, 5).flatten(1, 2)
    return torch.cat([start, m[:, :steps]], 1)
