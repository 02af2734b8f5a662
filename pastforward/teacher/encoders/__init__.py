"""L2. Encoders by name: what a recurrent network should remember after every prefix of its input.

An encoder is a class derived from `encoders.base.Encoder` and built as `X(signature, memory,
config, own)`: the teacher's `TeacherConfig`, and the encoder's own dials. Imports no torch.
"""

from pastforward.registry import Entry, Registry
from pastforward.teacher.encoders.configs import DeltaConfig, LinearConfig, WindowConfig

_HERE = "pastforward.teacher.encoders"

ENCODERS: Registry[Entry] = Registry(
    "encoder",
    {
        "linear": Entry(
            f"{_HERE}.causal:LinearEncoder", LinearConfig,
            "a causal Transformer writes to a diagonal linear recurrence",
        ),
        "registers": Entry(
            f"{_HERE}.causal:RegisterEncoder",
            summary="K learned queries attend to all states of a causal Transformer up to t",
        ),
        "state": Entry(
            f"{_HERE}.causal:StateEncoder",
            summary="a linear map of a causal Transformer's state at t",
        ),
        "delta": Entry(
            f"{_HERE}.delta:DeltaEncoder", DeltaConfig,
            "delta-rule matrices with Householder products; no Transformer",
        ),
        "window": Entry(
            f"{_HERE}.window:WindowEncoder", WindowConfig,
            "the paper's: full attention over the last Tc inputs, one pass per prefix",
        ),
    },
)  # fmt: skip
