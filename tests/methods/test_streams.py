"""Truncated BPTT with carried memory against a plain loop that updates weights as it goes."""

import copy

import pytest
import torch
from tiny import assert_same, batch, descend, gradients, pair, signature, student

from pastforward.config import Budget, RunConfig, Stage
from pastforward.data.opening import open_source
from pastforward.losses import output_loss
from pastforward.methods import METHODS, TBPTTConfig
from pastforward.methods.base import Shares, counts
from pastforward.methods.bptt import bptt
from pastforward.methods.streams import StreamBPTT
from pastforward.training import FitConfig
from pastforward.training.fit import FitContext, fit

RATE = 0.1


def update(own) -> None:
    with torch.no_grad():
        for p in own.parameters():
            if p.grad is not None:
                p.sub_(RATE * p.grad)


def by_loop(own, data, window):
    """Weights after one pass over the stream, step by step."""
    x, y, mask = data
    total, m = mask.sum(), own.start(len(x))
    starts = range(0, x.shape[1], window)
    for begin in starts:
        own.zero_grad(set_to_none=True)
        m = own.start(len(x)) if begin == 0 else m.detach()
        loss = torch.zeros((), dtype=torch.float64)
        for t in range(begin, min(begin + window, x.shape[1])):
            m = own.step(m, x[:, t])
            each = output_loss(own.signature.outputs, own.readout(m), y[:, t])
            loss = loss + each[mask[:, t]].sum()
        (len(starts) * loss / total).backward()
        update(own)
    return list(own.parameters())


@pytest.mark.parametrize("kind", ["tokens", "vectors"])
@pytest.mark.parametrize("cell", ["gru", "transformer"])
@pytest.mark.parametrize("window", [1, 2, 3, 7, 9])
def test_windows_are_the_loop_that_carries_its_memory_on(kind, cell, window):
    own, data = student(signature(kind), cell, 2), batch(signature(kind))
    expected = by_loop(copy.deepcopy(own), data, window)
    method = StreamBPTT(own, window, 7)
    stream = method.collect(data)
    for _ in range(method.replay_steps):
        descend(method, stream)
        update(own)
    assert_same([p.detach() for p in own.parameters()], [p.detach() for p in expected])


def test_a_window_of_the_whole_length_is_bptt():
    own, _, data = pair()
    expected = descend(bptt(own), data).total.detach(), gradients(own)
    method = StreamBPTT(own, 7, 7)
    found = descend(method, method.collect(data)).total.detach(), gradients(own)
    torch.testing.assert_close(found[0], expected[0])
    assert_same(found[1], expected[1])


def test_values_cross_windows_and_gradients_do_not():
    own, _, data = pair()
    method = StreamBPTT(own, 3, 7)
    stream = method.collect(data)
    descend(method, stream)
    assert own.empty.grad.any()
    first = descend(method, stream).total.detach()
    assert own.empty.grad is None
    other = method.collect(data._replace(x=(data.x + 1) % 5))
    descend(method, other)
    moved = method.collect(data)
    moved.window, moved.memory = 1, other.memory
    assert not torch.equal(descend(method, moved).total.detach(), first)


def test_parts_of_a_batch_add_up_to_it():
    own, _, _ = pair()
    data, method = batch(own.signature, count=4), StreamBPTT(own, 3, 7)
    halves = [data._make(part[rows] for part in data) for rows in (slice(3), slice(3, 4))]
    total = sum(counts(own.signature, half) for half in halves)
    streams = [method.collect(part) for part in (data, *halves)]
    for _ in range(method.replay_steps):
        expected = descend(method, streams[0]).total.detach(), gradients(own)
        own.zero_grad(set_to_none=True)
        found = torch.zeros((), dtype=torch.float64)
        for stream, half in zip(streams[1:], halves, strict=True):
            shares = Shares(*(counts(own.signature, half) / total))
            found += method.accumulate_gradients(stream, torch.Generator(), shares)["loss"]
        torch.testing.assert_close(found, expected[0])
        assert_same(gradients(own), expected[1], tolerance=1e-8)  # weights are in full precision


def test_shorter_sequences_begin_again():
    own, _, data = pair()
    short = data._make(part[:, :4] for part in data)
    method = StreamBPTT(own, 2, 7)
    stream = method.collect(short)
    losses = [descend(method, stream).total.item() for _ in range(4)]
    assert losses[2:] == losses[:2]
    assert losses[0] != losses[1]


def test_the_loop_reads_a_batch_for_all_its_windows():
    source = open_source("parity:10")
    own = student(source.signature, "gru", 1).float()
    config = RunConfig(tbptt=TBPTTConfig(4))
    stage = Stage("tbptt-stream", 1.0, 1e-3)
    method = METHODS.load(stage.method)(own, None, config)
    found = fit(method, source, 1e-3, Budget(steps=7), FitConfig(batch=5), FitContext())
    assert found.batches == 3  # three windows each
    assert found.progress.tokens == 7 * 5 * 4
    assert found.progress.calls == 7 * 4
    assert found.mid_replay is False
