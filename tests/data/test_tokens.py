"""Tokens: the tokenizer, its symbols once and as read, documents; against plain references."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pastforward.data import DataConfig, TextConfig
from pastforward.data.codec import TextCodec, TokenCodec, codec_from_json, codec_to_json
from pastforward.data.opening import open_data
from pastforward.data.text import text_source
from pastforward.data.units import train_bpe
from pastforward.errors import UsageError

tokenizers = pytest.importorskip("tokenizers", reason="needs pip install pastforward[tokens]")

END = "<|endoftext|>"
STORY = "Once upon a time there was a {} who liked the {}. They went to the {} and it was good.\n"


def stories(count, seed=0):
    words = ["cat", "dog", "tree", "naïve", "river", "東京", "moon", "12", "345", "it's", "(x)", ""]
    random = np.random.default_rng(seed)
    return [
        "".join(STORY.format(*random.choice(words, 3)) for _ in range(random.integers(1, 9)))
        for _ in range(count)
    ]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_text(END.join(stories(120)), encoding="utf-8")
    return path


def opened(path, unit="bpe:400", length=24, **options):
    return open_data(DataConfig(str(path), length, TextConfig(unit, **options)))


def reference(codec, documents):
    """All symbols of each document, with ends before and behind."""
    return [[codec.end, *codec.encode_within(one), codec.end] for one in documents]


UNITS = [("bytes", "auto"), ("chars", "auto"), ("bpe:400", "once"), ("bpe:400", "as-read")]


@pytest.mark.parametrize(("unit", "tokenise"), UNITS)
def test_training_windows_lie_in_one_document(file, unit, tokenise):
    source = opened(file, unit, document_end=END, tokenise=tokenise)
    whole = reference(source.codec, stories(120))
    text = [" ".join(map(str, one)) for one in whole]
    starts = ends = 0
    for index in range(24):
        x, y, mask = source.batch(3, index, 16)
        again = source.batch(3, index, 16)
        assert all(torch.equal(a, b) for a, b in zip((x, y, mask), again, strict=True))
        for row, future, used in zip(x, y, mask, strict=True):
            count = int(used.sum())
            assert used[:count].all()
            window = [*row[:count].tolist(), int(future[count - 1])]
            assert future[: count - 1].tolist() == window[1:-1]
            assert any(f" {' '.join(map(str, window))} " in f" {one} " for one in text)
            assert source.codec.end not in window[1:-1]
            assert count == 24 or window[-1] == source.codec.end
            starts += window[0] == source.codec.end
            ends += window[-1] == source.codec.end
    assert starts > 0
    assert ends > 0


@pytest.mark.parametrize(("unit", "tokenise"), UNITS)
def test_held_out_windows_are_all_outputs_of_all_documents(file, unit, tokenise):
    source = opened(file, unit, document_end=END, tokenise=tokenise)
    held = reference(source.codec, stories(120))
    found = []
    for batch in source.held_out("valid", 5, 10**6):
        for y, mask in zip(batch.y, batch.mask, strict=True):
            found += y[mask].tolist()
    outputs = [symbol for one in held for symbol in one[1:]]
    place = " ".join(map(str, outputs)).index(" ".join(map(str, found)))
    assert place > 0
    assert found.count(source.codec.end) >= 2
    few = list(source.held_out("valid", 5, 7))
    assert [len(batch.x) for batch in few] == [5, 2]


def test_tokens_once_and_as_read_are_the_same_on_held_out_text(file):
    sources = [opened(file, document_end=END, tokenise=how) for how in ("once", "as-read")]
    assert sources[0].codec == sources[1].codec
    for one, other in zip(*(s.held_out("test", 8, 100) for s in sources), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_one_long_text_as_read_is_cut_where_tokens_end(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("".join(stories(900)), encoding="utf-8")
    once, read = (opened(path, tokenise=how) for how in ("once", "as-read"))
    assert once.codec.end is None
    whole = " ".join(map(str, once.splits.train.tolist()))
    for index in range(4):
        batch = read.batch(0, index, 16)
        assert batch.mask.all()
        for row in batch.x.tolist():
            assert f" {' '.join(map(str, row))} " in f" {whole} "
    parts = [next(iter(s.held_out("test", 64, 64))) for s in (once, read)]
    assert torch.equal(parts[0].x, parts[1].x)


def test_first_and_last_outputs_are_drawn_about_as_often_as_others():
    text = "".join(map(chr, range(33, 123)))  # 90 characters, each once
    source = text_source(
        "t", [(END.join([text] * 6)).encode()], TextConfig("chars", END), 10
    )  # fmt: skip
    drawn = torch.zeros(source.codec.size)
    for index in range(40):
        _, y, mask = source.batch(0, index, 64)
        drawn += torch.bincount(y[mask], minlength=source.codec.size)
    used = drawn[drawn > 0] / drawn.sum() * 91
    assert len(used) == 91
    assert 0.3 < used.min() < used.max() < 1.8


def test_the_tokenizer_is_the_same_every_time_and_knows_all_bytes():
    made = [train_bpe(iter(stories(50)), 330, [END]) for _ in range(2)]
    assert made[0] == made[1]
    codec = TokenCodec(made[0], END)
    assert codec.size == 330
    assert codec.end == json.loads(made[0])["model"]["vocab"].get(END, 0)
    for text in [*stories(5, 9), "\0\x7f  \n\n\t é 😀", "🏴‍☠️ ~ ", ""]:
        symbols = codec.encode_within(text)
        assert b"".join(codec.pieces[s] for s in symbols) == text.encode()
        assert codec.decode(symbols) == text
        assert tokenizers.Tokenizer.from_str(made[0]).decode(symbols) == text


def test_special_tokens_are_one_symbol_and_ends_another():
    options = TextConfig("bpe:300", END, ("<|user|>", "<|bot|>"))
    talks = [f"<|user|> hello number {i} <|bot|> well\n" for i in range(200)]
    source = text_source("talks", [END.join(talks).encode()], options, 16)
    symbols = source.codec.encode(f"<|user|> hello{END}<|bot|>")
    assert [source.codec.pieces[s] for s in (symbols[0], symbols[-1])] == [b"<|user|>", b"<|bot|>"]
    assert symbols[-2] == source.codec.end
    assert source.codec.pieces[source.codec.end] == b""
    assert source.codec.decode(symbols) == f"<|user|> hello{END}<|bot|>"


def test_a_codec_of_tokens_goes_through_json():
    codec = TokenCodec(train_bpe(iter(stories(9)), 300), "\n")
    again = codec_from_json(json.loads(json.dumps(codec_to_json(codec))))
    assert again == codec
    assert again.end == 300 == codec.size - 1
    assert codec_to_json(TextCodec("ab")) == {"kind": "text", "characters": "ab"}


def test_tokens_are_made_once(file, monkeypatch):
    first = opened(file, document_end=END)
    monkeypatch.setattr(TokenCodec, "encode_all", None)
    monkeypatch.setattr("pastforward.data.units.train_bpe", None)
    again = opened(file, document_end=END)
    assert again.identity == first.identity
    assert torch.equal(again.batch(1, 2, 3).x, first.batch(1, 2, 3).x)
    assert isinstance(again.parts[0].values, np.memmap)
    file.write_text(END.join(stories(120, seed=1)), encoding="utf-8")
    with pytest.raises(TypeError):
        opened(file, document_end=END)


def test_the_tokenizer_is_trained_on_the_training_part_alone(file):
    before = opened(file, document_end=END).codec
    text = stories(120)
    file.write_text(END.join([*text[:-3], *["zzzzqqqq " * 40] * 3]), encoding="utf-8")
    assert opened(file, document_end=END).codec == before


def tokenizer_file(tmp_path, **changes):
    content = json.loads(train_bpe(iter(stories(40)), 350, ["</s>"])) | changes
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def test_a_tokenizer_file(file, tmp_path):
    path = tokenizer_file(tmp_path)
    source = opened(file, path, document_end=END)
    symbols = len(json.loads(Path(path).read_text("utf-8"))["model"]["vocab"])
    assert 300 < symbols <= 350
    assert (source.codec.size, source.codec.end) == (symbols + 1, symbols)
    stop = opened(file, path, document_end="\\n")
    assert (stop.codec.document_end, stop.codec.end) == ("\n", symbols)
    known = open_data(DataConfig(str(file), 24, TextConfig("bytes")), source.codec)
    assert known.codec == source.codec
    assert torch.equal(known.batch(0, 0, 4).x, source.batch(0, 0, 4).x)


def test_tokenizers_that_lose_text_are_refused(file, tmp_path):
    lower = tokenizer_file(tmp_path, normalizer={"type": "Lowercase"})
    with pytest.raises(UsageError, match=r"loses text: 'Once upon.*' comes back as 'once upon"):
        opened(file, lower)


@pytest.mark.parametrize("content", ["{}", "no json", '{"model": {"type": "BPE"}}', "\udcff"])
def test_files_that_are_no_tokenizers(file, tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=r"is no tokenizer \(.*\); give a tokenizer.json"):
        opened(file, str(path))


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("bpe", "give bpe: and the number of symbols, 257 or more, as in bpe:4096"),
        ("bpe:12", "257 or more"),
        ("bpe:many", "257 or more"),
        ("word", r"--data\.unit is 'word'"),
        ("nowhere.json", "there is no such file; give a tokenizer.json"),
    ],
)
def test_units_that_there_are_not(file, unit, said):
    with pytest.raises(UsageError, match=said):
        opened(file, unit)


def test_text_without_what_ends_its_documents(file):
    for unit in ("bytes", "bpe:300"):
        with pytest.raises(UsageError, match=r"holds no '---', which --data\.document-end says"):
            opened(file, unit, document_end="---")
    file.write_text("one" + END + "two", encoding="utf-8")
    with pytest.raises(UsageError, match="holds 2 documents where 3 parts are to be held apart"):
        opened(file, "bytes", document_end=END)


def test_files_of_a_folder_are_documents(tmp_path):
    for place, text in enumerate(stories(30)):
        (tmp_path / f"{place:02d}.txt").write_text(text, encoding="utf-8")
    for unit, more in (("bpe:300", {}), ("bytes", {"document_end": ""})):
        source = opened(tmp_path, unit, **more)
        assert sum(source.describe()["documents"].values()) == 30
        assert sum(source.describe()["bytes"].values()) == len("".join(stories(30)).encode())
    assert "documents" not in opened(tmp_path, "bytes").describe()


def test_text_that_is_no_utf8_is_refused_with_its_place(file):
    for how in ("once", "as-read"):
        file.write_bytes((END.join(stories(99))).encode() + b" ab\xff" + END.encode() + b"ab")
        place = len(file.read_bytes()) - len(END) - 3
        with pytest.raises(UsageError, match=rf"byte 0xff at {place}\)"):
            opened(file, tokenise=how, document_end=END)


def test_tokens_without_their_package(file, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"run pip install pastforward\[tokens\]"):
        opened(file, "bpe:333")
