"""L3. An engine compiled ahead of time: one call runs a loop of steps in machine code.

Python's overhead is two thirds of an eager step; here it is paid once per call, not per step. The
code (torch.export, AOTInductor) depends on the network's shape, not on its weights, and is cached
on disk: the first use of a shape on a machine takes half a minute.
"""

import hashlib
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch._inductor import aoti_compile_and_package, aoti_load_package
from torch.export import Dim, ExportedProgram, export
from torch.func import functional_call
from typing_extensions import override

from pastforward.errors import UsageError
from pastforward.inference.sampling import PLAIN, Sampling, draw, noise
from pastforward.inference.stream import Eager, Engine, Stream, fed_back
from pastforward.student import Student
from pastforward.types import Kind, Tokens


class Reads(nn.Module):
    """`Engine.read` as one graph."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, m: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """m_N and the parameters of y_1..y_N."""

        def step(m: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
            m = self.student.cell(m, e)
            return m, m.clone()  # outputs of scan() may not alias

        m, memories = scan(step, m, self.student.embed(x), dim=1)
        return m, self.student.readout(memories)


class _Writes(nn.Module):
    """`Engine.write` as one graph, for one pair of top_k and top_p and any temperature."""

    def __init__(self, student: Student, sampling: Sampling) -> None:
        super().__init__()
        self.student, self.sampling = student, sampling

    def forward(self, m: Tensor, noise: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        student = self.student

        def step(m: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
            parameters = student.readout(m)
            y = draw(student.signature.outputs, parameters, u, temperature, self.sampling)
            return student.step(m, fed_back(y)), y

        return scan(step, m, noise, dim=1)


class _Weightless(nn.Module):
    """A graph whose weights are inputs, as AOTInductor would put small ones into the code."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = (graph,)  # in a tuple, so that it is not registered as a submodule

    def forward(self, weights: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> tuple:
        return functional_call(self.graph[0], weights, inputs)


@final
class AheadOfTime(Engine):
    """Compiled for `batch` streams: a loop that reads, and one that writes per top_k and top_p.

    Both raise `UsageError` for another number of streams.
    """

    def __init__(
        self, student: Student, batch: int = 1, cache: Path | str | None = None
    ) -> None:  # fmt: skip
        """Loops are compiled on first use, or loaded from `cache` (default: the user's)."""
        super().__init__(student)
        self.batch, self.cache = batch, Path(cache or default_cache())
        self._written: dict[Sampling, Callable] = {}

    def prepare(self) -> None:
        """Compile reading and, for an autoregressive student, plain writing now.

        Raises whatever the compiler raises.
        """
        _ = self._reader
        if self.student.is_autoregressive:
            self._writer(PLAIN)

    @override
    def read(self, m: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        self._require(m)
        return self._reader(m, x)

    @override
    def write(self, m: Tensor, noise: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
        self._require(m)
        temperature = torch.tensor(sampling.temperature, device=m.device)
        return self._writer(sampling)(m, noise, temperature)

    @cached_property
    def _reader(self) -> Callable:
        m = self._start()
        return self._build(Reads(self.student), (m, blank(self.student.signature.inputs, m)))

    def _writer(self, sampling: Sampling) -> Callable:
        filters = Sampling(1.0, sampling.top_k, sampling.top_p)
        if filters not in self._written:
            m, kind = self._start(), self.student.signature.outputs
            u = noise(kind, (self.batch, 2), torch.Generator(m.device), m)
            graph = _Writes(self.student, filters)
            self._written[filters] = self._build(graph, (m, u, u.new_ones(())))
        return self._written[filters]

    def _build(self, graph: nn.Module, inputs: tuple[Tensor, ...]) -> Callable:
        """The graph's loop with this student's weights, for any number of steps."""
        tensors = dict(graph.named_parameters()) | dict(graph.named_buffers())
        weights = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        shapes = (dict.fromkeys(weights), (None, {1: Dim("steps", min=1)}, None)[: len(inputs)])
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the compiler, about its own code
            program = export(_Weightless(graph), (weights, inputs), dynamic_shapes=shapes)
            package = self.cache / f"{_fingerprint(program, inputs[0])}.pt2"
            loop = _loop(program, package)

        def run(*given: Tensor) -> tuple[Tensor, Tensor]:
            # The compiled code does not check types and strides.
            pairs = zip(given, inputs, strict=True)
            return loop(weights, tuple(tensor.to(like).contiguous() for tensor, like in pairs))

        return run

    def _start(self) -> Tensor:
        return self.student.start(self.batch).detach().clone()

    def _require(self, m: Tensor) -> None:
        if len(m) != self.batch:
            raise UsageError(
                f"{len(m)} streams were given to an engine compiled for {self.batch}; compile "
                "another one with that `batch`, or use `Stream(student)`."
            )


def compile_stream(
    student: Student, batch: int = 1, cache: Path | str | None = None
) -> Stream:  # fmt: skip
    """A compiled stream for `batch` sequences; warns and runs eagerly where compiling fails.

    Compiled code is kept in `cache`, by default a folder in the user's cache folder.
    """
    engine = AheadOfTime(student, batch, cache)
    try:
        engine.prepare()
        return Stream(student, engine)
    except Exception as error:  # compilers can fail in any way; eager always runs
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        warnings.warn(
            f"The stream could not be compiled ({first}); it runs eagerly, which is slower. "
            "Compiling needs a C++ compiler such as g++ and a folder to write to.",
            stacklevel=2,
        )
        return Stream(student, Eager(student))


def default_cache() -> Path:
    """The folder `pastforward` in $XDG_CACHE_HOME or ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "pastforward"


def blank(kind: Kind, like: Tensor) -> Tensor:
    """Two inputs to trace with for every memory of `like`."""
    if isinstance(kind, Tokens):
        return torch.zeros(len(like), 2, dtype=torch.long, device=like.device)
    return like.new_zeros(len(like), 2, kind.width)


def _fingerprint(program: ExportedProgram, like: Tensor) -> str:
    """A hash of all that the code depends on: graph, shapes, precision, torch, processor."""
    # Comments hold names that differ from run to run.
    code = [line for line in str(program).splitlines() if not line.lstrip().startswith("#")]
    facts = (
        *code, str(like.dtype), like.device.type, torch.__version__,
        torch.backends.cpu.get_cpu_capability(),
    )  # fmt: skip
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24]


def _loop(program: ExportedProgram, package: Path) -> Callable:
    """The compiled code in `package`; compiled anew where there is none, or a damaged one."""
    if package.exists():
        with suppress(Exception):  # a loader can fail in as many ways as a file can be damaged
            return aoti_load_package(str(package))
    _compile(program, package)
    return aoti_load_package(str(package))


def _compile(program: ExportedProgram, package: Path) -> None:
    """Write to a temporary file, then rename it: an interrupted compiler leaves no package."""
    package.parent.mkdir(parents=True, exist_ok=True)
    part = package.with_name(f"{package.stem}.{os.getpid()}.pt2")
    try:
        aoti_compile_and_package(program, package_path=str(part))
        os.replace(part, package)
    finally:
        part.unlink(missing_ok=True)
