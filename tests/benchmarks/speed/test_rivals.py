"""Rivals do what they stand for: a ratio to a broken rival says nothing."""

import torch
from torch.nn import functional as F

from benchmarks.speed.networks import networks, symbols
from benchmarks.speed.rivals import CachedTransformer, FusedBPTT, PaperDMT
from pastforward.blocks import rotary_table, rotate
from pastforward.methods import DMTConfig
from pastforward.methods.dmt import UnrollDMT


def test_the_paper_s_dmt_with_every_target_is_the_unroll_without_transition_weights():
    student, teacher = networks(6, "gru", 2, "window", depth=1)
    batch, generator = symbols(3, 6), torch.Generator()
    paper = PaperDMT(student, teacher, every=1).losses(batch, generator)
    unroll = UnrollDMT(student, teacher, DMTConfig()).losses(batch, generator)
    readout = unroll.terms["readout"]
    torch.testing.assert_close(paper.total.detach() - paper.terms["dynamics"], readout)
    assert paper.terms["dynamics"] > 0


def test_a_cached_token_is_the_last_of_a_whole_pass():
    torch.manual_seed(0)
    net = CachedTransformer(11, 8, 2, 2, 5).eval()
    x = torch.randint(11, (1, 5))
    with torch.no_grad():
        h, table = net.embed(x), rotary_table(5, 4)
        for number, block in enumerate(net.blocks):
            _, k, v = block.attention.qkv(block.norms[0](h)).unflatten(-1, (3, 2, 4)).unbind(2)
            net.cache[number, 0] = rotate(k.transpose(1, 2), table)
            net.cache[number, 1] = v.transpose(1, 2)
            h = block(h, table)
        whole = net.head(net.norm(h[:, -1]))
        net.cache[:, :, :, :, -1] = 0.0  # the last token brings its own key and value
        torch.testing.assert_close(net(x[:, -1]), whole)


def test_the_fused_gru_is_trained_on_all_outputs():
    torch.manual_seed(0)
    net, batch = FusedBPTT("gru", 64, 8, 16), symbols(2, 5)
    logits = torch.stack([net.readout(net.net(net.embed(x[None]))[0])[0] for x in batch.x])
    by_hand = sum(F.cross_entropy(logits[b, t], batch.y[b, t]) for b in range(2) for t in range(5))
    torch.testing.assert_close(net(batch), by_hand / 10)
