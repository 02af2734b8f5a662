"""Speed and memory of each fast path beside its rivals, measured in one run. Imports no torch.

measuring.py   interleaved timing, rows of results
networks.py    the sizes that all benchmarks share
rivals.py      the paper's DMT, a fused GRU, a Transformer with a KV cache
cost.py        multiplications and bytes per token, counted
labels.py ...  one benchmark a file: `run() -> Iterator[Row]`
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bench:
    """A benchmark: its module in this package and the question that it answers."""

    module: str
    question: str
    cases: tuple[str, ...] = ()
    """Parts that can run alone, as NAME:CASE."""


BENCHES = {
    "labels": Bench("labels", "target memories per second, one causal pass over the paper's two"),
    "step": Bench("step", "transitions trained per second, a full optimiser step"),
    "dmt": Bench("dmt", "on-policy transitions per second, windows over a sequential rollout"),
    "bptt": Bench(
        "bptt",
        "time of an SMT step over a BPTT step, per token, against T",
        ("elman", "mlp", "transformer", "gru"),
    ),
    "newton": Bench(
        "newton", "an SMT step over nn.GRU and a GRU by parallel Newton (needs pararnn-torch)"
    ),
    "memory": Bench("memory", "peak memory of an SMT step over a BPTT step, against T"),
    "stream": Bench("stream", "one streamed step over the bare matrix products with its weights"),
    "kv-cache": Bench("kv_cache", "one streamed token over a Transformer with a KV cache"),
    "ship": Bench(
        "ship",
        "one exported step over an eager one, with its difference and size (minutes)",
        (
            "elman",
            "gru",
            "lstm",
            "torch-rnn",
            "torch-gru",
            "torch-lstm",
            "mlp",
            "transformer",
            "wrapped",
        ),
    ),
    "startup": Bench("startup", "seconds from `pastforward train` to the first optimiser step"),
    "large-text": Bench(
        "large_text",
        "seconds to the first step on 2 GB of text, and peak memory (minutes)",
        ("bytes", "chars", "bpe", "bpe-documents"),
    ),
    "store": Bench("store", "five students from one label store over five joint runs (minutes)"),
    "time-to-loss": Bench(
        "time_to_loss", "seconds to a standalone loss, over the paper's method", ("text", "copy")
    ),
}
"""By name, in the order in which they run."""

LONG = ("newton", "ship", "large-text", "store", "time-to-loss")
"""Those that take many minutes, or need a package, and run only when they are named."""
