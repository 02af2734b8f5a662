import gzip
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastforward.data import DataConfig, TextConfig
from pastforward.data.codec import TextCodec
from pastforward.data.opening import open_data, open_source
from pastforward.data.text import text_source
from pastforward.errors import UsageError

# No stretch of five numbers occurs twice, so a window tells its place.
COUNTED = " ".join(f"{i:04d}" for i in range(600))


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text(COUNTED)
    return file


def shown(source, rows):
    return [source.codec.decode(r) for r in rows.tolist()]


def test_training_windows_by_brute_force(path):
    source = open_source(str(path), 25)
    train = COUNTED[: len(COUNTED) - 2 * (len(COUNTED) // 20)]
    starts = set()
    for index in range(30):
        x, y, mask = source.batch(0, index, 64)
        assert mask.all()
        for history, future in zip(shown(source, x), shown(source, y), strict=True):
            start = train.index(history)
            starts.add(start)
            assert future == train[start + 1 : start + 26]
    assert min(starts) < 20
    assert len(train) - 26 - max(starts) < 20


def test_every_offset_can_be_drawn():
    source = text_source("t", [b"abcdefgh", b"abcdef", b"abcdef"], TextConfig("chars"), 5)
    drawn = {source.codec.decode(r) for r in source.batch(0, 0, 200).x.tolist()}
    assert drawn == {"abcde", "bcdef", "cdefg"}


def test_held_out_windows_tile_their_split(path):
    source = open_source(str(path), 25)
    held = len(COUNTED) // 20
    for split, text in (("valid", COUNTED[-2 * held : -held]), ("test", COUNTED[-held:])):
        batches = list(source.held_out(split, 2, 1000))
        xs = [s for b in batches for s in shown(source, b.x)]
        ys = [s for b in batches for s in shown(source, b.y)]
        assert len(xs) == (held - 1) // 25
        assert text.startswith("".join(xs))
        assert text[1:].startswith("".join(ys))
    assert source.describe()["symbols"] == {
        "train": len(COUNTED) - 2 * held, "valid": held, "test": held,
    }  # fmt: skip


def test_unigram_reference_exactly():
    source = text_source("t", [b"aaab" * 9, b"ab" * 8, b"abbcb"], TextConfig("chars"), 2)
    p = {"a": 28 / 39, "b": 10 / 39, "c": 1 / 39}
    # The test split holds two windows, with targets b b and c b.
    expected = -sum(math.log(p[c]) for c in "bbcb") / 4
    assert source.references() == pytest.approx({"uniform": math.log(3), "unigram": expected})


def test_units(path):
    def opened(unit, length=None):
        return open_data(DataConfig(str(path), length, TextConfig(unit)))

    assert opened("auto").codec == TextCodec(" 0123456789")
    assert opened("bytes").codec == TextCodec()
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 200))) * 20
    path.write_text(many)
    assert opened("auto").codec.characters is None
    chars = opened("chars", 10)
    assert chars.signature.inputs.size == 200
    x, y, _ = chars.batch(0, 0, 3)
    assert all(s in many for s in shown(chars, x) + shown(chars, y))
    with pytest.raises(UsageError, match=r"--data\.unit is 'char'; did you mean 'chars'"):
        TextConfig("char")


@pytest.mark.parametrize(("size", "length"), [(100_000, 128), (2020, 25), (120, 4)])
def test_length_is_chosen_from_the_text(path, size, length):
    path.write_text("ab" * (size // 2))
    assert open_source(str(path)).signature.length == length


def test_gzip_and_folders_of_text(tmp_path):
    (tmp_path / "b.txt").write_text("b" * 3000)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.txt").write_text("c" * 3000)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a" * 3000))
    (tmp_path / "empty.txt").touch()
    (tmp_path / ".hidden.txt").write_text("h")
    assert open_source(str(tmp_path)).codec == TextCodec("\nbc")
    assert open_source(str(tmp_path / "a.txt.gz")).codec == TextCodec("a")


def test_a_folder_without_txt_takes_all_that_is_text(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n" * 600)
    (tmp_path / "b.bin").write_bytes(bytes(range(256)) * 40)
    assert set(open_source(str(tmp_path)).codec.characters) == set("x = 1\n")


def test_named_splits(tmp_path):
    (tmp_path / "train.txt").write_text("t" * 500)
    (tmp_path / "valid.txt").write_text("v" * 300 + "w" * 300)
    (tmp_path / "notes.txt").write_text("never read")
    source = open_source(str(tmp_path), 50)
    x = {s: next(source.held_out(s, 100, 100)).x for s in ("valid", "test")}
    assert "".join(shown(source, x["valid"])) == "v" * 250
    assert "".join(shown(source, x["test"])) == "w" * 250
    (tmp_path / "test.txt").write_text("z" * 200)
    source = open_source(str(tmp_path), 50)
    assert source.describe()["symbols"] == {"train": 500, "valid": 600, "test": 200}
    assert set("".join(shown(source, source.batch(0, 0, 50).x))) == {"t"}


def test_text_codec_round_trips():
    text = "naïve — 東\n"
    assert TextCodec().decode(TextCodec().encode(text)) == text
    chars = TextCodec("".join(sorted(set(text))))
    assert chars.decode(chars.encode(text)) == text
    assert TextCodec().encode("\udce9") == [0xE9]
    assert TextCodec().decode([0xE9]) == "\ufffd"
    with pytest.raises(UsageError, match=r"\['q', 'z'\]; use only"):
        TextCodec("abc").encode("azqa")
    with pytest.raises(UsageError, match="cannot express"):
        TextCodec().encode("\ud800")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; give"),
        (b"x" * 60, "60 characters long and its shortest split 3, too short for one sequence"),
        (b"ab\xffc" * 2000, "not UTF-8 text .byte 0xff at 2.; give UTF-8"),
        (b"ab\0c" * 2000, "is binary .a zero byte at 2., not text"),
        (gzip.compress(b"x" * 9000, mtime=0)[:-9], "damaged gzip"),
    ],
)
def test_bad_text(path, content, said):
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        open_source(str(path))


def test_any_file_has_bytes(path):
    path.write_bytes(bytes(range(256)) * 40)
    source = open_data(DataConfig(str(path), options=TextConfig("bytes")))
    assert source.batch(0, 0, 99).x.max() == 255


def test_text_too_short_for_the_length_asked(path):
    with pytest.raises(UsageError, match=r"2999 .*split 149, .* at most 148"):
        open_source(str(path), 200)
    assert open_source(str(path), 148).signature.length == 148
    with pytest.raises(UsageError, match=r"--data\.length is 0; give a finite number, 1 or more"):
        open_source(str(path), 0)
    with pytest.raises(UsageError, match="Length 0 was given for The text"):
        text_source("t", [b"ab" * 400], length=0)


def test_folder_without_text(tmp_path):
    with pytest.raises(UsageError, match="holds no text; give"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("count", [0, 4])
def test_parts_that_are_no_splits(count):
    with pytest.raises(UsageError, match=f"given in {count} parts; give one to three"):
        text_source("t", [b"ab" * 400] * count)


@pytest.mark.parametrize("unit", ["bytes", "chars"])
@given(text=st.text())
def test_any_text_survives_its_codec(unit, text):
    codec = TextCodec("".join(sorted(set(text))) if unit == "chars" else None)
    symbols = codec.encode(text)
    assert codec.decode(symbols) == text
    assert all(0 <= s < codec.size for s in symbols)
