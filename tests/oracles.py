"""Slow, obvious references for what the package does fast: explicit loops, no shared code."""

import math

import torch
from torch import Tensor

from pastforward.losses import MIN_VARIANCE
from pastforward.methods.dmt import WindowDMT
from pastforward.scan import DiagonalRecurrence
from pastforward.student import Student
from pastforward.teacher.encoders.causal import LinearHead, RegisterHead
from pastforward.teacher.encoders.delta import DeltaEncoder
from pastforward.teacher.encoders.stack import StackEncoder
from pastforward.types import Batch, Tokens


def rotated(q: Tensor, position: int) -> Tensor:
    """Rotary positions for one vector, pair by pair."""
    half, out = len(q) // 2, [None] * len(q)
    for i in range(half):
        angle = position * 1000.0 ** (-2 * i / len(q))
        out[i] = q[i] * math.cos(angle) - q[i + half] * math.sin(angle)
        out[i + half] = q[i + half] * math.cos(angle) + q[i] * math.sin(angle)
    return torch.stack(out)


def register_memories(head: RegisterHead, h: Tensor) -> Tensor:
    """What a register head reads from states h `[T, width]`: `[T, K, D]`, one query at a time."""
    keys, values = (head.key_value.weight @ h.T).T.chunk(2, -1)
    rows = [[_query(head, h[t], r, keys, values, t) for r in head.registers] for t in range(len(h))]
    return torch.stack([torch.stack(row) for row in rows])


def eigenvalues(recurrence: DiagonalRecurrence) -> Tensor:
    """lambda of every mode, as complex numbers."""
    return torch.exp(torch.complex(-recurrence.log_decay.exp(), recurrence.frequency))


def linear_memories(head: LinearHead, h: Tensor) -> Tensor:
    """What a linear head makes of states h `[T, width]`: `[T, K, D]`, one step at a time."""
    factor = eigenvalues(head.recurrence)
    m, found = torch.zeros_like(factor), []
    for state in h:
        gain = (1 - factor.abs().square()).sqrt()
        m = factor * m + gain * torch.view_as_complex(head.write(state).view(-1, 2))
        found.append(torch.view_as_real(m).view(head.memory.slots, head.memory.width))
    return torch.stack(found)


def stack_step(encoder: StackEncoder, states: list[Tensor], symbol: Tensor) -> list[Tensor]:
    """The states of a stack's layers, complex numbers, from those before and one input alone."""
    h, found = encoder.embed(symbol), []
    for layer, state in zip(encoder.layers, states, strict=True):
        factor = eigenvalues(layer.recurrence)
        read = layer.norm.weight * h / h.square().mean().add(torch.finfo(h.dtype).eps).sqrt()
        written = torch.view_as_complex(layer.write(read).view(-1, 2))
        found.append(factor * state + (1 - factor.abs().square()).sqrt() * written)
        if layer.mix is not None:
            hidden = layer.mix.up(torch.cat([read, torch.view_as_real(found[-1]).flatten()]))
            h = h + layer.mix.down(hidden * torch.sigmoid(hidden))
    return found


def stack_memories(encoder: StackEncoder, x: Tensor) -> Tensor:
    """A stack's memories m_0..m_T before their norm, `[T+1, K, D]` of one sequence."""
    states = [torch.view_as_complex(slot.view(-1, 2)) for slot in encoder.start]
    found = []
    for symbol in [None, *x]:
        states = states if symbol is None else stack_step(encoder, states, symbol)
        slots = [torch.view_as_real(state).flatten() for state in states]
        found.append(torch.stack([torch.cat([s, torch.ones_like(s[:1]).repeat(2)]) for s in slots]))
    return torch.stack(found)


def delta_memories(encoder: DeltaEncoder, x: Tensor) -> Tensor:
    """A delta memory before its norm, `[T+1, K, D]` of one sequence, one step at a time."""
    n, steps, count = encoder.key_dim, encoder.householder_steps, encoder.matrices
    matrices = [slot.view(n, -1) for slot in encoder.start[:count]]
    found, before = [encoder.start], None
    for symbol in x:
        e = encoder.embed(symbol)
        before = torch.zeros_like(e) if before is None else before
        moves = encoder.moves(torch.cat([e, before])).chunk(count)
        for i, (move, key, value) in enumerate(
            zip(moves, encoder.key(before).chunk(count), encoder.value(e).chunk(count), strict=True)
        ):
            for step in range(steps):
                axis = move[step * n : (step + 1) * n]
                beta = 2 * torch.sigmoid(move[steps * n + step])
                matrices[i] = _reflected(matrices[i], axis / axis.norm(), beta)
            k, v = key / key.norm(), value / value.square().mean().add(1e-16).sqrt()
            beta = 2 * torch.sigmoid(move[-1])
            matrices[i] = _reflected(matrices[i], k, beta) + beta * torch.outer(k, v)
        rest = encoder.input(e).view(-1, encoder.memory.width)
        found.append(torch.cat([torch.stack([m.flatten() for m in matrices]), rest]))
        before = e
    return torch.stack(found)


def _reflected(matrix: Tensor, axis: Tensor, beta: Tensor) -> Tensor:
    return matrix - beta * torch.outer(axis, axis @ matrix)


def _query(
    head: RegisterHead, state: Tensor, register: Tensor, keys: Tensor, values: Tensor, t: int
) -> Tensor:
    slot = state + register
    mixed = []
    for q, k, v in zip(
        head.query(slot).chunk(head.heads),
        keys.chunk(head.heads, -1),
        values.chunk(head.heads, -1),
        strict=True,
    ):
        scores = [rotated(q, t) @ rotated(k[s], s) / math.sqrt(len(q)) for s in range(t + 1)]
        mixed.append(torch.stack(scores).softmax(0) @ v[: t + 1])
    slot = slot + head.out(torch.cat(mixed))
    return head.project(slot + head.mlp(head.norm(slot)))


def surprise(student: Student, m: Tensor, y: Tensor) -> Tensor:
    """-log p(y | m) of one memory and one output."""
    kind, parameters = student.signature.outputs, student.readout(m)
    if isinstance(kind, Tokens):
        return parameters.exp().sum().log() - parameters[y]
    mean, log_std = parameters[: kind.width], parameters[kind.width :]
    density = torch.distributions.Normal(mean, log_std.exp())
    return -density.log_prob(y).sum()


def through_time(student: Student, batch: Batch, cut: int) -> Tensor:
    """The loss of truncated BPTT, one step of one sequence at a time."""
    losses = []
    for x, y, mask in zip(*batch, strict=True):
        m = student.start()
        for t in range(len(x)):
            if t and t % cut == 0:
                m = m.detach()
            m = student.step(m, x[t])
            if mask[t]:
                losses.append(surprise(student, m, y[t]))
    return torch.stack(losses).mean()


def windows(method: WindowDMT, batch: Batch, shift: int, before: Student | None = None) -> Tensor:
    """The loss of DMT in windows on the student's own memories, with the first window at `shift`.

    A window starts from a memory that carries no gradient, or from m_0, which learns. The memories
    are those of the student as it was `before` its last steps, if that is given.
    """
    student, k = method.student, method.config.window
    targets = method.target_source.targets_of(batch).detach()
    count, length = batch.mask.shape
    errors, moves, losses = [], [], []
    for b in range(count):
        own = [(before or student).start()]
        for x in batch.x[b]:
            own.append((before or student).step(own[-1], x).detach())
        for w in range(length // k):
            begin = max(0, min(shift + k * w, length - k))
            m = own[begin] if begin else student.start()
            for t in range(begin, begin + k):
                m = student.step(m, batch.x[b, t])
                errors.append((m - targets[b, t + 1]).square().mean())
                moves.append((targets[b, t] - targets[b, t + 1]).square().mean())
                if batch.mask[b, t]:
                    losses.append(surprise(student, m, batch.y[b, t]))
    return method.config.dynamics * _relative(method, batch, targets, errors, moves, shift) + (
        method.config.readout * torch.stack(losses).mean()
    )


def _relative(
    method: WindowDMT, batch: Batch, targets: Tensor, errors: list, moves: list, shift: int
) -> Tensor:
    """Errors over variance across sequences, heavier where targets move; m_0 counts 1."""
    k, (count, length) = method.config.window, batch.mask.shape
    begins = [max(0, min(shift + k * w, length - k)) for w in range(length // k)]
    times = [0] + [t + 1 for begin in begins for t in range(begin, begin + k)]
    variances = [(targets[:, t] - targets[:, t].mean(0)).square().mean() for t in times]
    spread = torch.stack(variances).mean() + MIN_VARIANCE
    moves = torch.stack(moves)
    weight = 0.5 + 0.5 * moves / (moves.mean() + 1e-6)
    empty = (method.student.start() - targets[0, 0]).square().mean()
    shares = torch.stack([*errors, empty]) / spread
    total = (weight * shares[:-1]).sum() + count * shares[-1]
    return total / (len(errors) + count)
