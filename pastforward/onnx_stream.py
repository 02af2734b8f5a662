"""L2. `OnnxStream`: a student that was exported to ONNX, in an application without torch.

    stream = OnnxStream("runs/notes-smt+dmt/onnx")
    m = stream.start(1)
    m, parameters = stream.step(m, x_1)     # of y_1: parameters [1, P] of p(y_1)
    m, drawn = stream.generate(m, parameters, 100, np.random.default_rng(0))

Needs NumPy and onnxruntime: importing it imports no torch. Memories are arrays, passed in and
returned; keep, copy or save them.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from pastforward.errors import UsageError

if TYPE_CHECKING:
    from pastforward.data.codec import Codec

STEP, SEQUENCE = "step.onnx", "sequence.onnx"
METADATA = "pastforward."


@final
class OnnxStream:
    """Independent sequences in a batch, each with its own memory `[B, K, D]`."""

    def __init__(self, path: Path | str, threads: int = 1) -> None:
        """A file, or the step.onnx of an exported folder.

        Raises `UsageError` where it is missing, no model, or was not written by pastforward.
        """
        path = Path(path)
        self.path = path / STEP if path.is_dir() else path
        self._session = _opened(self.path, threads)
        self._facts = self._session.get_modelmeta().custom_metadata_map
        self.metadata = {
            name.removeprefix(METADATA): json.loads(value)
            for name, value in self._facts.items()
            if name.startswith(METADATA)
        }
        """As JSON: signature, codec, empty_memory, is_autoregressive, and of classes their names.
        """
        if "empty_memory" not in self.metadata:
            raise _foreign(self.path, "it has no empty memory")
        self._empty = np.array(self.metadata["empty_memory"], dtype=np.float32)
        reads = self.metadata["signature"]["inputs"]
        self._symbols = reads.get("size")
        # Of a step [B] or [B, C]; of whole sequences [B, T] or [B, T, C].
        self._axes = len(self._session.get_inputs()[1].shape)
        self._whole = self._axes == (2 if self._symbols else 3)
        self._width = reads.get("width")

    @cached_property
    def codec(self) -> "Codec":
        """What inputs and outputs mean; it encodes text and names classes. Needs cattrs, too."""
        from pastforward.data.codec import codec_from_json

        return codec_from_json(self.metadata["codec"])

    def start(self, count: int) -> np.ndarray:
        """The empty memory m_0 of `count` sequences, `[count, K, D]`."""
        return np.repeat(self._empty[None], count, 0)

    def run(self, m: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One call of the file: m and the parameters after a step, or after a whole sequence.

        x is `[B]` or `[B, C]`, of a sequence.onnx `[B, T]` or `[B, T, C]`. Raises `UsageError` for
        other shapes, symbols outside 0..V-1 and numbers that are not finite.
        """
        m, x = self._checked(m, x)
        after, parameters = self._session.run(None, {"memory": m, "input": x})
        return after, parameters

    def step(self, m: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """m_t and the parameters `[B, P]` of y_t, from m_{t-1} and x_t `[B]` or `[B, C]`."""
        if not self._whole:
            return self.run(m, x)
        m, parameters = self.run(m, np.asarray(x)[:, None])
        return m, parameters[:, 0]

    def feed(self, m: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """m_T and the parameters `[B, P]` of y_T after x `[B, T]` or `[B, T, C]`."""
        x = np.asarray(x)
        if x.ndim < 2 or x.shape[1] == 0:
            raise UsageError(f"Inputs of shape {list(x.shape)} were given; give [B, T], T above 0.")
        if self._whole:
            m, parameters = self.run(m, x)
            return m, parameters[:, -1]
        parameters = np.empty(0)
        for x_t in np.moveaxis(x, 1, 0):
            m, parameters = self.run(m, x_t)
        return m, parameters

    def generate(
        self, m: np.ndarray, parameters: np.ndarray, count: int, generator: np.random.Generator,
        temperature: float = 1.0,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """m and `count` tokens `[B, count]`, each drawn and fed back as the next input.

        `parameters` are those that `step` or `feed` returned with m; temperature 0 takes the
        likeliest. Raises `UsageError` for a student whose outputs are no inputs of it, or no
        tokens.
        """
        if not (self.metadata["is_autoregressive"] and self._symbols):
            raise UsageError(
                f"'{self.path}' writes {self.metadata['signature']['outputs']}, which can't be fed "
                "back as tokens; step it instead."
            )
        if not (temperature >= 0 and count > 0):
            raise UsageError(
                f"{count} tokens at temperature {temperature} were asked for; ask for 1 or more, "
                "at 0 or above."
            )
        drawn = []
        for _ in range(count):
            y = _draw(parameters, generator, temperature)
            m, parameters = self.step(m, y)
            drawn.append(y)
        return m, np.stack(drawn, 1)

    def _checked(self, m: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        m, x = np.asarray(m, dtype=np.float32), np.asarray(x)
        if m.shape != (len(m), *self._empty.shape):
            slots, width = self._empty.shape
            raise UsageError(
                f"A memory of shape {list(m.shape)} was given; give [B, {slots}, {width}], as "
                "`start` does."
            )
        if x.ndim != self._axes or len(x) != len(m) or (self._width or x.shape[-1]) != x.shape[-1]:
            raise UsageError(
                f"Inputs of shape {list(x.shape)} were given for {len(m)} memories; give "
                f"{self._session.get_inputs()[1].shape}."
            )
        if self._symbols:
            if x.dtype.kind not in "iu" or (x.size and not 0 <= x.min() <= x.max() < self._symbols):
                raise UsageError(
                    f"Inputs of {x.dtype} are no tokens; give whole numbers from 0 to "
                    f"{self._symbols - 1}."
                )
            return m, x.astype(np.int64)
        x = x.astype(np.float32)
        if not np.isfinite(x).all():
            raise UsageError("Inputs hold NaN or infinity; leave such steps out or fill them.")
        return m, x


def _draw(
    logits: np.ndarray, generator: np.random.Generator, temperature: float
) -> np.ndarray:  # fmt: skip
    if temperature == 0:
        return logits.argmax(-1)
    noise = generator.gumbel(size=logits.shape)  # the largest of logits + noise is such a draw
    return (logits / temperature + noise).argmax(-1)


def _opened(path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            f"'{path}' needs onnxruntime ({error}); run pip install onnxruntime."
        ) from error
    if not path.is_file():
        raise UsageError(f"There is no file '{path}'; give one that `export --to onnx` wrote.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no type of their own
        raise _foreign(path, " ".join(str(error).split())[:100]) from error


def _foreign(path: Path, why: str) -> UsageError:
    return UsageError(
        f"'{path}' is no student in ONNX: {why}; give a file that `export --to onnx` wrote."
    )
