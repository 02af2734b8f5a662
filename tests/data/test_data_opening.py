"""Names, kinds and options, sources of the user's own, the hub, and real files if there are any."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from pastforward.data import DataConfig, HubConfig, ImageConfig, SeriesConfig, TextConfig
from pastforward.data.codec import SymbolCodec, TextCodec, codec_from_json
from pastforward.data.opening import family, kind_of, known_names, open_data, open_source
from pastforward.errors import UsageError
from pastforward.runs.generating import _default_prompt


def rows_of(table):
    return (dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True))


def fake_hub(monkeypatch, **splits):
    def load_dataset(name, streaming=False):
        assert streaming
        return {split: rows_of(table) for split, table in splits.items()}

    module = SimpleNamespace(load_dataset=load_dataset)
    monkeypatch.setitem(sys.modules, "datasets", module)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("digist", "no data 'digist', by path or by name; did you mean 'digits'"),
        ("xyzzy", "choose one of digits, pydoc, copy, reversed_copy, retrieval, .*, hf:NAME"),
        ("key_vales:128,pairs=8", "by path or by name; did you mean 'key_values'"),
        ("nowhere/data.txt", "no data 'nowhere/data.txt', .* check the path"),
        ("copy:many", "give one length, a number"),
        ("digits,levels=8", "only tasks have axes after a comma; give 'digits'"),
        ("digits:32", "Length 32 was given for 'digits', whose sequences have 64 steps"),
        ("hf:", "give hf:NAME or hf:NAME:CONFIG"),
        ("", "no data '', by path or by name"),
        ("x" * 5000, "x' cannot be reached .File name too long.; check the path"),
        ("~no_such_user/x", "cannot be reached .* check the path"),
    ],
)
def test_unknown_data(name, said):
    with pytest.raises(UsageError, match=said):
        open_source(name)


def test_a_path_may_hold_commas(tmp_path):
    path = tmp_path / "notes, two=2"
    path.write_text("All happy families are alike. " * 40)
    assert open_source(str(path)).describe()["kind"] == "characters"


def test_one_length_only():
    assert open_source("copy:16", 16).signature.length == 16
    assert open_source("digits", 64).signature.length == 64
    with pytest.raises(UsageError, match="'copy:16' was given with length 8; give one length"):
        open_source("copy:16", 8)


def test_names_and_kinds(tmp_path):
    assert known_names() == (
        "digits", "pydoc", "copy", "reversed_copy", "retrieval", "key_values", "recall", "mqar",
        "regression", "stack", "modular", "parity", "cyclic", "a5", "s5", "even_pairs",
        "parity_check", "cycle_navigation", "modular_simple", "reverse_string",
        "stack_manipulation", "modular_brackets", "solve_equation", "recency", "primacy", "hf",
        "acsf1", "plaid", "japanese_vowels", "mnist1d",
    )  # fmt: skip
    assert family("key_values:128,pairs=8") == "key_values"
    named = {"digits": "embedded", "pydoc:64": "embedded", "s5:8,every=2": "task", "hf:a": "hub"}
    assert {name: kind_of(name) for name in named} == named
    files = {"a.npy": "images", "train-idx3-ubyte": "images", "a.csv.gz": "table", "a": "text"}
    for name, kind in files.items():
        (tmp_path / name).write_bytes(b"1,2")
        assert kind_of(str(tmp_path / name)) == kind
    assert kind_of(str(tmp_path)) == "images"
    assert kind_of("package.module:name") == "package.module:name"


def test_a_kind_is_found_without_torch(tmp_path):
    (tmp_path / "a.csv").write_text("1,2")
    code = (
        "import sys; from pastforward.data.opening import kind_of, known_names;"
        "assert known_names(); assert kind_of('copy:8') == 'task';"
        "assert kind_of(sys.argv[1]) == 'table'; sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.csv")]
    assert subprocess.run(command, check=False).returncode == 0


def test_data_in_memory_is_not_opened():
    for use in (kind_of, open_source):
        with pytest.raises(UsageError, match=r"trained on data in memory, 'walk', .* as source="):
            use("memory:walk")


@pytest.mark.parametrize("options", [ImageConfig(pool=2), TextConfig(), SeriesConfig(("a",))])
def test_options_of_another_kind_are_refused(options, tmp_path):
    for source, said in (
        ("digits", "the kind embedded, whose options are: none"),
        ("copy:8", "the kind task, whose options are: none"),
        (
            "hf:some/set",
            "the kind hub, whose options are: unit, document_end, special, tokenise, column, rows",
        ),
    ):
        with pytest.raises(UsageError) as error:
            open_data(DataConfig(source, options=options))
        assert str(error.value) == (
            f"{type(options).__name__} was given for '{source}', which has no use for it: it is of "
            f"{said}."
        )


OWN = """
    from dataclasses import dataclass

    from pastforward.data.opening import open_source
    from pastforward.data.source import Source
    from pastforward.data.tasks.copy import Copy
    from pastforward.data.tasks.source import TaskSource

    @dataclass(frozen=True)
    class Symbols:
        symbols: int = 3

    def copied(length=16):
        return open_source("copy", length)

    def chosen(config, length):
        return TaskSource(Copy(length or 8, config.symbols))

    chosen.Config = Symbols

    class Fixed(Source):
        Config = Symbols

        def __init__(self, config):
            self.inner = open_source(f"copy:12,symbols={config.symbols}")
            super().__init__("fixed", self.inner.signature, self.inner.codec)

        def batch(self, seed, index, size):
            return self.inner.batch(seed, index, size)

        def held_out(self, split, size, limit):
            return self.inner.held_out(split, size, limit)

        def references(self):
            return self.inner.references()

        def describe(self):
            return self.inner.describe()

    def path():
        return "data.txt"

    def wants(path):
        return open_source(path)

    NUMBER = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_sources.py").write_text(textwrap.dedent(OWN))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("own_sources", None)


def test_sources_of_the_users_own(own):
    assert open_source("own_sources:copied").signature.length == 16
    assert open_source("own_sources:copied", 24).name == "copy:24"
    assert open_source("own_sources:chosen").name == "copy:8,symbols=3"
    assert open_source("own_sources:chosen", 6).name == "copy:6,symbols=3"
    fixed = open_source("own_sources:Fixed", 12)
    assert fixed.name == "fixed"
    assert fixed.codec == SymbolCodec(3)
    symbols = sys.modules["own_sources"].Symbols(5)
    for name in ("chosen", "Fixed"):
        source = open_data(DataConfig(f"own_sources:{name}", options=symbols))
        assert source.codec == SymbolCodec(5)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (DataConfig("own_sources:missing"), "The module 'own_sources' has no 'missing'"),
        (DataConfig("no_such_module:x"), "'no_such_module:x' can't be imported"),
        (DataConfig("own_sources:path"), "'own_sources:path' returned a str; .* return a Source"),
        (DataConfig("own_sources:wants"), "can't be called with .*'path'"),
        (DataConfig("own_sources:NUMBER"), "is of type int; give a subclass of Source or a func"),
        (DataConfig("own_sources:Fixed", 10), "Length 10 .* 'fixed', .* 12 steps; leave it out"),
        (DataConfig("own_sources:copied", options=TextConfig()), "TextConfig .*options are: none"),
        (DataConfig("own_sources:Fixed", options=TextConfig()), "TextConfig .* are: symbols"),
    ],
)
def test_unusable_sources_of_the_users_own(own, config, said):
    with pytest.raises(UsageError, match=said):
        open_data(config)


def test_a_file_may_be_named_like_a_source_of_the_users_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes:today").write_text("All happy families are alike. " * 40)
    assert kind_of("notes:today") == "text"


def test_hub_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r"run pip install pastforward\[huggingface\]"):
        open_source("hf:some/set")


def test_hub_splits_and_columns(monkeypatch):
    part = {"text": ["ab" * 50, "ba" * 50], "title": ["t" * 200] * 2, "rank": [1, 2]}
    fake_hub(monkeypatch, train=part, test=part)
    source = open_source("hf:some/set", 20)
    assert source.name == "hf:some/set"
    assert source.describe()["symbols"] == {"train": 201, "valid": 101, "test": 100}
    source = open_data(DataConfig("hf:some/set", 20, HubConfig(column="title")))
    assert source.codec.characters == "\nt"
    with pytest.raises(UsageError, match="no column 'titel'; did you mean 'title'"):
        open_data(DataConfig("hf:some/set", options=HubConfig(column="titel")))
    with pytest.raises(UsageError, match="'rank' of 'hf:some/set' holds no text"):
        open_data(DataConfig("hf:some/set", options=HubConfig(column="rank")))
    with pytest.raises(UsageError, match=r"--data\.unit is 'word'"):
        HubConfig("word")


def test_hub_out_of_reach(monkeypatch):
    def load_dataset(name, streaming):
        raise ConnectionError("no route\nmore lines")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(UsageError, match=r"could not be loaded \(no route more lines\); check"):
        open_source("hf:some/set")


@pytest.mark.parametrize("data", [{}, {"kind": "wav"}, {"kind": "text", "sizes": 3}])
def test_foreign_codecs(data):
    with pytest.raises(UsageError, match="is no codec"):
        codec_from_json(data)


def test_default_prompts():
    assert _default_prompt(TextCodec()) == _default_prompt(TextCodec("\na")) == "\n"
    assert _default_prompt(TextCodec("ab")) == "a"
    assert _default_prompt(SymbolCodec(3)) == "0"


def real(name: str) -> Path:
    folder = os.environ.get("PASTFORWARD_DATA")
    if not folder:
        pytest.skip("PASTFORWARD_DATA names no folder with mnist/, tinystories/ and the like")
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"PASTFORWARD_DATA has no {name}")
    return path


def test_mnist():
    source = open_data(DataConfig(str(real("mnist")), options=ImageConfig(pool=2)))
    assert source.signature.length == 196
    assert source.describe()["sequences"] == {"train": 54000, "valid": 6000, "test": 10000}
    assert source.batch(0, 3, 8).y.max() == 15
    assert source.references()["unigram"] < source.references()["uniform"]


def test_tinystories():
    source = open_source(str(real("tinystories")))
    assert source.describe()["symbols"]["train"] == 4242163
    assert (
        "".join(map(source.codec.decode, source.batch(0, 0, 4).x.tolist())).isprintable() is False
    )


def test_tinyshakespeare():
    source = open_source(str(real("tinyshakespeare.txt")))
    assert source.codec.size == 65
    assert sum(source.describe()["symbols"].values()) == 1115394
    assert source.signature.length == 128
