"""What may be wrong with a file: bytes, numbers, JSON, headers, and pickles planted in it."""

import gzip
import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

PLANTED, IMPORTED = "unpickled.mark", "imported.mark"
"""Files that are there once a pickle, or a module that a file names, has run."""
NAMED = "planted:Cell"
"""Code that files name; on a command line it would be the user who names it."""
MODULE = f"open({IMPORTED!r}, 'w').close()\nCell = None\n"
"""Of `planted.py`, beside the files."""

Draw = Callable[[Any], Any]
Damage = Callable[[bytes, Draw], bytes]


class _Payload:
    def __reduce__(self):
        return (exec, (f"open({PLANTED!r}, 'w').close()",))


PICKLE = pickle.dumps(_Payload())
TOKENS = (
    "", "0", "-1", "1e999", "-1e999", "nan", "NaN", "inf", "1e-320", "1e300", "1_000", "0x10",
    "1,5",
    "99999999999999999999999", "٣", "½", '"', "'", ",", ";", "\t", "\n", "\r", "\x00", "\u2028",
    "\x1b[31m", "[/b]", "{", "}", "é", "😀", "\ufeff", "../up", "/", "~", "None", "true",
    NAMED,
    "@data", ":", "?", "#",
)  # fmt: skip
"""Words that readers of numbers, tables and paths stumble over."""
VALUES = st.one_of(
    st.sampled_from(
        [None, True, False, "", "../../up", "/etc/passwd", NAMED, "planted:Method", [], {},
         [[]], 0, -1, 1, 2, 3, 255, 2**31, 2**53, 10**18, 10**30, 0.5, -0.0, 1e308, 5e-324, "nan",
         "Infinity", float("nan"), float("inf"), "é\x00", "x" * 5000, "[/b]", "memory:x", "hf:"]
    ),
    st.integers(-10, 300), st.floats(), st.text(max_size=6),
    st.lists(st.integers(-3, 9), max_size=4), st.dictionaries(st.text(max_size=4), st.integers()),
)  # fmt: skip
"""Of JSON."""
PLACES = st.floats(0, 1, exclude_max=True)


def place(content: Any, draw: Draw) -> int:
    """An index of it, 0 where it is empty."""
    return int(draw(PLACES) * max(1, len(content)))


# Bytes of any file


def cut(content: bytes, draw: Draw) -> bytes:
    return content[: place(content, draw)]


def flip(content: bytes, draw: Draw) -> bytes:
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 4)) if found else 0):
        found[place(found, draw)] ^= draw(st.integers(1, 255))
    return bytes(found)


def insert(content: bytes, draw: Draw) -> bytes:
    at = place(content, draw)
    return content[:at] + draw(st.binary(min_size=1, max_size=9)) + content[at:]


def remove(content: bytes, draw: Draw) -> bytes:
    at = place(content, draw)
    return content[:at] + content[at + draw(st.integers(1, 40)) :]


def repeat(content: bytes, draw: Draw) -> bytes:
    at = place(content, draw)
    return content[at:] + content[:at] * draw(st.integers(1, 3))


def blank(content: bytes, draw: Draw) -> bytes:
    at, size = place(content, draw), draw(st.integers(1, 200))
    return content[:at] + bytes(size) + content[at + size :]


def noise(content: bytes, draw: Draw) -> bytes:
    return draw(st.binary(max_size=300))


def planted(content: bytes, draw: Draw) -> bytes:
    """A pickle, alone, before or after the content, or as torch.save packs one."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", PICKLE)
        archive.writestr("archive/version", b"3\n")
    return draw(st.sampled_from([PICKLE, packed.getvalue(), PICKLE + content, content + PICKLE]))


def packed(content: bytes, draw: Draw) -> bytes:
    """By gzip, whole, cut, twice, or very much of it."""
    once = gzip.compress(content)
    long = gzip.compress(content + bytes(3 * 10**7))
    return draw(st.sampled_from([once, once[:-9], gzip.compress(once), long]))


BYTES: tuple[Damage, ...] = (cut, flip, insert, remove, repeat, blank, noise, planted, packed)


# Text, and numbers in it


def word(content: bytes, draw: Draw) -> bytes:
    """A word or number becomes another one."""
    found = list(re.finditer(rb"[\w.+-]+", content))
    if not found:
        return noise(content, draw)
    one = found[place(found, draw)]
    new = draw(st.one_of(st.sampled_from(TOKENS), st.text(max_size=5))).encode(errors="replace")
    return content[: one.start()] + new + content[one.end() :]


def line(content: bytes, draw: Draw) -> bytes:
    """A line is left out, doubled, moved, joined, or cut."""
    lines = content.split(b"\n")
    at, other = place(lines, draw), place(lines, draw)
    how = draw(st.sampled_from(["out", "twice", "moved", "joined", "cut"]))
    if how == "joined":
        return content.replace(b"\n", b"", 1 + at)
    one = lines.pop(at)
    new = {"out": [], "twice": [one, one], "moved": [], "cut": [one[: len(one) // 2]]}[how]
    lines[at:at] = new
    if how == "moved":
        lines.insert(other, one)
    return b"\n".join(lines)


def encoding(content: bytes, draw: Draw) -> bytes:
    text = content.decode("utf-8", errors="replace")
    name = draw(st.sampled_from(["utf-16", "utf-8-sig", "utf-32", "cp037", "utf-7"]))
    return text.encode(name, errors="replace")


def separators(content: bytes, draw: Draw) -> bytes:
    signs = st.sampled_from([b",", b";", b"\t", b" ", b"|", b'"', b"\r", b"\r\n", b"\x0b", b"\x85"])
    return content.replace(draw(signs), draw(signs), draw(st.integers(-1, 3)))


TEXT: tuple[Damage, ...] = (word, word, line, line, encoding, separators)


# JSON


def _spots(value: Any, path: tuple = ()) -> list[tuple]:
    if not isinstance(value, dict | list):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(spot for key, item in inner for spot in _spots(item, (*path, key)))]


def changed(value: Any, draw: Draw) -> Any:
    """A value somewhere in it becomes another, is left out, or gets a neighbour."""
    spots = _spots(value)
    spot = spots[place(spots, draw)]
    if not spot:
        return draw(VALUES)
    holder = value
    for key in spot[:-1]:
        holder = holder[key]
    how = draw(st.sampled_from(["other", "other", "other", "out", "more"]))
    if how == "out":
        del holder[spot[-1]]
    elif how == "more" and isinstance(holder, dict):
        holder[draw(st.text(max_size=6))] = draw(VALUES)
    else:
        holder[spot[-1]] = draw(VALUES)
    return value


def in_json(content: bytes, draw: Draw) -> bytes:
    return json.dumps(changed(json.loads(content), draw)).encode()


def in_lines(content: bytes, draw: Draw) -> bytes:
    """Of a file that holds JSON in each line."""
    lines = content.splitlines()
    at = place(lines, draw)
    lines[at] = in_json(lines[at], draw)
    return b"\n".join(lines) + draw(st.sampled_from([b"", b"\n"]))


JSON: tuple[Damage, ...] = (in_json,) * 5
LINES: tuple[Damage, ...] = (in_lines,) * 3


# safetensors: the length of a header, the header as JSON, numbers


def header(content: bytes, draw: Draw) -> bytes:
    """Of the tensors' names, types, shapes and places."""
    size = int.from_bytes(content[:8], "little")
    text = json.dumps(changed(json.loads(content[8 : 8 + size]), draw)).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def metadata(content: bytes, draw: Draw) -> bytes:
    """Of the JSON that describes a network."""
    size = int.from_bytes(content[:8], "little")
    found = json.loads(content[8 : 8 + size])
    known = found.get("__metadata__") or {}
    for name in known:
        known[name] = json.dumps(changed(json.loads(known[name]), draw))
    text = json.dumps(found).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def length(content: bytes, draw: Draw) -> bytes:
    return (
        struct.pack("<Q", draw(st.sampled_from([0, 1, 7, 2**20, 2**62, 2**64 - 1]))) + content[8:]
    )


def not_finite(content: bytes, draw: Draw) -> bytes:
    """The last numbers become NaN."""
    count = draw(st.integers(1, 50)) * 4
    return content[:-count] + b"\xff" * min(count, len(content))


TENSORS: tuple[Damage, ...] = (header, metadata, metadata, metadata, length, not_finite)


# Arrays of NumPy and IDX


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def array(draw: Draw) -> np.ndarray:
    """Of any type and shape, with numbers at the edge."""
    kinds = ["u1", "i8", "f2", "f4", "f8", "c8", "?", "U3", "S2", "M8[s]", "m8[s]", "O", "V4"]
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, 4, 16, 40]), max_size=4))
    kind = np.dtype(draw(st.sampled_from(kinds)))
    if kind.kind == "O":
        return np.array([_Payload()] * max(1, draw(st.integers(0, 5))), object)
    edges = [0, 1, 2, 255, -1, 0.5, 1e300, -1e-320, float("nan"), float("inf")]
    value = draw(st.sampled_from(edges))
    found = np.arange(int(np.prod(shape))).reshape(shape) % 7
    with np.errstate(all="ignore"):
        found = found.astype("f8") if kind.kind in "fc" else found
        found = found.astype("i8").astype(kind) if kind.kind in "mMV" else found.astype(kind)
        if kind.kind in "fc" and found.size:
            found.flat[place(found, draw) % found.size] = value
    return found


def other_npy(content: bytes, draw: Draw) -> bytes:
    return npy(array(draw))


def other_header(content: bytes, draw: Draw) -> bytes:
    """Numbers as they are, said to be of another type or shape."""
    kinds = ["|O", "<f8", "|u1", "<U9", "<c16", "|V3", "<M8[s]", "x", "<f999", "__import__('os')"]
    shapes = ["()", "(0,)", "(-1,)", "(10**9,)", "(9999999999, 4, 4)", "(1,)*40", "(40, 4)", "3"]
    order = draw(st.sampled_from(["True", "False", "1", "[]"]))
    text = (
        f"{{'descr': {draw(st.sampled_from(kinds))!r}, 'fortran_order': {order}, "
        f"'shape': {draw(st.sampled_from(shapes))}, }}\n"
    ).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content[128:]


def other_npz(content: bytes, draw: Draw) -> bytes:
    """Other members, or members of other names; some hold a pickle."""
    names = [
        "x",
        "y",
        "x_train",
        "y_train",
        "x_test",
        "mask",
        "lengths",
        "../up",
        "/up",
        "",
        "x.npy",
    ]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in draw(st.lists(st.sampled_from(names), max_size=4, unique=True)):
            raw = draw(st.sampled_from([b"", PICKLE, b"x" * 99]))
            whole = draw(st.sampled_from([True, True, True, False]))
            archive.writestr(f"{name}.npy", npy(array(draw)) if whole else raw)
    return file.getvalue()


def same_npz(content: bytes, draw: Draw) -> bytes:
    """One of its members is another array."""
    with np.load(io.BytesIO(content)) as found:
        members = dict(found)
    names = sorted(members)
    name = names[place(names, draw)]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for one in names:
            archive.writestr(f"{one}.npy", npy(array(draw) if one == name else members[one]))
    return file.getvalue()


def idx_head(content: bytes, draw: Draw) -> bytes:
    """Another type, number of axes, or sizes."""
    sizes = st.sampled_from([0, 1, 4, 40, 41, 2**16, 2**31, 2**32 - 1])
    axes = draw(st.sampled_from([0, 1, 2, 3, 4, 255]))
    kind = draw(st.sampled_from([8, 9, 11, 12, 13, 14, 0, 255]))
    shape = b"".join(struct.pack(">I", draw(sizes)) for _ in range(min(axes, 4)))
    return bytes([0, 0, kind, axes]) + shape + content[16:]


def inside(*damages: Damage) -> tuple[Damage, ...]:
    """The same, of what gzip has packed."""

    def within(damage: Damage) -> Damage:
        return lambda content, draw: gzip.compress(damage(gzip.decompress(content), draw))

    return tuple(map(within, damages))


NPY: tuple[Damage, ...] = (other_npy, other_npy, other_header)
NPZ: tuple[Damage, ...] = (other_npz, same_npz, same_npz)
IDX: tuple[Damage, ...] = (idx_head, idx_head)


# Parquet


def other_columns(content: bytes, draw: Draw) -> bytes:
    """A column of another type."""
    import pandas

    table = pandas.read_parquet(io.BytesIO(content))
    name = table.columns[place(table.columns, draw)]
    count = len(table)
    columns: list[list[Any]] = [
        *([one] * count for one in (None, [1, 2], {"a": 1}, b"\xff", "x", "é", True)),
        *([one] * count for one in (float("nan"), 1e308, 2**62)),
        list(pandas.date_range("2020", periods=count)),
    ]
    values = draw(st.sampled_from(columns))
    how = draw(st.sampled_from(["other", "out", "name", "empty"]))
    if how == "other":
        table[name] = values
    elif how == "out":
        table = table.drop(columns=name)
    elif how == "name":
        table = table.rename(columns={name: draw(st.text(max_size=5))})
    else:
        table = table.iloc[:0]
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()


PARQUET: tuple[Damage, ...] = (other_columns, other_columns)
