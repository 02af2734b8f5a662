"""What `pastforward train` imports before its first step, and what it never needs."""

import subprocess
import sys

import pytest

COMPILER = ["torch._dynamo", "torch._inductor", "sympy"]
"""About 2 s to import, and 150 MB."""
TABLES = ["pandas", "pyarrow", "scipy", "sklearn", "datasets", "transformers", "tokenizers"]
PICTURES = ["matplotlib", "PIL", "jinja2"]

PROBE = """
import sys
from pastforward.cli.main import main
from pastforward.training.loop import Fit

heavy, step = sys.argv[1].split(","), Fit.step

def first_step(self):
    found = step(self)
    imported = [name for name in heavy if name in sys.modules]
    print("before:", *imported)
    Fit.step = step
    return found

Fit.step = first_step
code = main(sys.argv[2:])
print("after:", *[name for name in heavy if name in sys.modules])
sys.exit(code)
"""


@pytest.mark.parametrize(
    "options",
    [[], ["--method", "bptt", "--cell", "gru"]],
    ids=["smt+dmt", "bptt"],
)
def test_training_on_text_imports_what_it_uses(tmp_path, options):
    text = "So it goes on and on, in one way or another. " * 100
    (tmp_path / "tale.txt").write_text(text, encoding="utf-8")
    words = ["train", "tale.txt", "--steps", "3", "--fit.batch", "2", "--fit.evaluations", "1"]
    heavy = ",".join([*COMPILER, *TABLES, *PICTURES])
    done = subprocess.run(
        [sys.executable, "-c", PROBE, heavy, *words, "--data.length", "32", *options],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "before:" in lines
    found = next(line for line in lines if line.startswith("after:"))
    assert not set(found.split()) & {*COMPILER, *TABLES}
