"""Run as a script: exit code 0 where the compiled engine does what the eager one does.

A process of its own, because the compiler can't trace the checks of shapes. One compilation of each
loop is used for all lengths and both students: it takes ten seconds and more.
"""

import sys
from pathlib import Path

import pytest
import torch

from pastforward.cells import StudentConfig
from pastforward.errors import UsageError
from pastforward.inference.aot import AheadOfTime
from pastforward.inference.sampling import Sampling, noise
from pastforward.inference.stream import Eager, Stream
from pastforward.student import Student, build_student
from pastforward.types import Signature, Tokens

LENGTHS = (1, 2, 63, 65)


def small(seed: int) -> Student:
    torch.manual_seed(seed)
    config = StudentConfig(cell="gru", slots=2, width=8, embed=4, hidden=8)
    return build_student(config, Signature(Tokens(5), Tokens(5), 9)).double()


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def compare(fast: AheadOfTime, slow: Eager, lengths: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    m = slow.student.start(2).detach()
    x = torch.randint(5, (2, max(lengths)), generator=generator)
    for length in lengths:
        assert_same(fast.read(m, x[:, :length]), slow.read(m, x[:, :length]))
        u = noise(Tokens(5), (2, length), generator, m)
        for temperature in (0.0, 0.7) if length < 100 else (0.7,):
            sampling = Sampling(temperature, top_k=4, top_p=0.9)
            assert_same(fast.write(m, u, sampling), slow.write(m, u, sampling))


def main(cache: Path) -> None:
    torch.set_num_threads(1)
    first, second = (AheadOfTime(small(seed), 2, cache) for seed in (0, 1))
    compare(first, Eager(first.student), LENGTHS)
    compare(second, Eager(second.student), (3, 10_000))
    # The second engine used the code that was compiled for the first.
    assert len(list(cache.glob("*.pt2"))) == 2
    # Other types and strides than those of tracing are the same numbers.
    x = torch.arange(6, dtype=torch.int32).remainder(5).view(3, 2).t()
    m = first.student.start(2).detach()
    assert_same(first.read(m.float().double(), x), first.read(m.float(), x.long().contiguous()))
    assert_same(first.read(m, x), Eager(first.student).read(m, x.long()))
    # A package that was cut is compiled anew, as long as it may be. A cache may be a str.
    for package in cache.glob("*.pt2"):
        package.write_bytes(package.read_bytes()[:1000])
    mended = Stream(first.student, AheadOfTime(first.student, 2, str(cache)))
    plain, parameters = mended.step(m, x[:, 0])
    assert_same((plain,), (Stream(first.student).step(m, x[:, 0])[0],))
    assert max(package.stat().st_size for package in cache.glob("*.pt2")) > 1000
    # What comes out are plain tensors.
    plain[0] = plain[1]
    (plain * torch.ones(1, dtype=plain.dtype, requires_grad=True)).sum().backward()
    assert not parameters.is_inference()
    with pytest.raises(UsageError, match="3 streams were given to an engine compiled for 2"):
        first.read(small(0).start(3), torch.zeros(3, 1, dtype=torch.long))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
