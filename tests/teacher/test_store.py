"""The label store: what is written is read back, also after interruptions and damage."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import Record, student, teacher

from pastforward.cells import StudentConfig as Sizes
from pastforward.config import Budget, RunConfig, Stage
from pastforward.data import DataConfig
from pastforward.data.opening import open_source
from pastforward.data.series import SeriesSource
from pastforward.errors import UsageError
from pastforward.files import to_json
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.methods.dmt import UnrollDMT, WindowDMT
from pastforward.methods.smt import FrozenSMT
from pastforward.teacher import TeacherConfig
from pastforward.teacher.encoders import ENCODERS, DeltaConfig
from pastforward.teacher.label_store import (
    LabelStore,
    StoreFacts,
    chunk_name,
    open_labels,
    read_store,
)
from pastforward.teacher.label_writing import (
    LabelJob,
    Writers,
    begin,
    join,
    kept,
    sequence_bytes,
    write_chunks,
)
from pastforward.teacher.target_source import StoredTargets
from pastforward.training import FitConfig
from pastforward.training.check import check
from pastforward.training.fit import FitContext, fit
from pastforward.types import Batch

WALK = np.random.default_rng(0).normal(3, 2, (900, 2)).cumsum(0)
SOURCES = {
    "copy:8": lambda: open_source("copy:8"),
    "walk": lambda: SeriesSource("walk", WALK, ("a", "b"), 8),
}
CHUNKS = 5


class Stop(Exception):
    pass


def ignore(count: int) -> None:
    pass


def new_job(folder, name="copy:8", dtype="float16", kind=torch.float32) -> LabelJob:
    """23 sequences in chunks of 5, 4 of them encoded at a time."""
    source = SOURCES[name]()
    own = student(source.signature)
    built = teacher(source.signature, own).to(kind).requires_grad_(False)
    config = RunConfig(DataConfig(name), Sizes("gru", 2, 4), fit=FitConfig(batch=4))
    facts = StoreFacts(
        run="runs/one", teacher="0" * 64, config=config, identity=source.identity,
        signature=source.signature, memory=own.memory, hidden=16, sequences=23, chunk=5,
        dtype=dtype,
    )  # fmt: skip
    return LabelJob(folder, facts, source, built.targets, built.decoder.readout)


def written(job: LabelJob) -> LabelStore:
    write_chunks(job, begin(job, {}), ignore)
    return open_labels(job.folder)


def resumed(job: LabelJob) -> LabelStore:
    write_chunks(job, begin(job, kept(job)), ignore)
    return open_labels(job.folder)


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return written(new_job(tmp_path_factory.mktemp("labels") / "whole"))


@pytest.mark.parametrize("name", SOURCES)
def test_a_store_holds_the_source_s_batches_and_their_targets(name, tmp_path):
    job = new_job(tmp_path / "labels", name)
    store = written(job)
    assert store.facts == job.facts
    assert (store.signature, len(store.facts.chunks)) == (job.source.signature, CHUNKS)
    for number in store.facts.chunks:
        found, expected = store.chunk(number), job.source.batch(0, number, 5)
        count = 3 if number == 4 else 5
        for part, whole in zip(found[:3], expected, strict=True):
            assert torch.equal(part, whole[:count])
        assert found.targets.dtype == torch.float16
        targets = job.targets(expected.x)[:count]
        assert found.targets.shape == targets.shape == (count, 9, 2, 4)
        # Half an ulp; below the least normal number of half precision an absolute one.
        torch.testing.assert_close(found.targets.float(), targets, rtol=2.0**-11, atol=2.0**-25)
        assert not torch.equal(found.targets.float(), targets)


def test_the_readout_is_the_teacher_s(store):
    job = new_job(store.folder)
    m = torch.randn(3, 2, 4)
    assert torch.equal(store.readout()(m), job.readout(m))


def test_the_size_told_is_the_size_taken(store):
    job = new_job(store.folder)
    taken = sum((store.folder / chunk_name(n)).stat().st_size for n in store.facts.chunks)
    assert 0 <= job.bytes - taken < 512 * CHUNKS
    assert sequence_bytes(job.facts, job.source) == 9 * 8 * 2 + 8 * (8 + 8 + 1)


@pytest.mark.parametrize("size", [1, 4, 23, 50])
def test_batches_are_pure_and_an_epoch_reads_every_sequence_once(store, size):
    fresh = open_labels(store.folder)
    for index in (7, 0, 3):
        for a, b in zip(store.batch(1, index, size), fresh.batch(1, index, size), strict=True):
            assert len(a) == size
            assert torch.equal(a, b)
    rows = torch.cat([store.batch(1, i, size).targets for i in range(-(-46 // size))]).flatten(1)
    every = torch.cat([store.chunk(n).targets for n in store.facts.chunks]).flatten(1)
    for epoch in (rows[:23], rows[23:46]):
        assert torch.equal(*(r[np.lexsort(r.T.numpy())] for r in (epoch, every)))
    assert not torch.equal(rows[:23], rows[23:46])
    assert not torch.equal(store.batch(2, 0, 23).targets, store.batch(1, 0, 23).targets)


def test_a_store_at_a_url_is_read_from_a_copy(store, tmp_path, monkeypatch):
    pytest.importorskip("fsspec", reason="needs the extra pastforward[urls]")
    monkeypatch.setenv("PASTFORWARD_CACHE", str(tmp_path))
    copied = open_labels(f"file://{store.folder.absolute()}")
    assert copied.identity == store.identity
    assert contents(copied.folder) == contents(store.folder)


def test_batches_keep_what_belongs_together(store):
    job = new_job(store.folder)
    batch = store.batch(0, 1, 16)
    torch.testing.assert_close(batch.targets.float(), job.targets(batch.x), rtol=2e-3, atol=1e-6)


def test_only_the_chunks_asked_for_are_read(store):
    fresh = open_labels(store.folder)
    assert not fresh._chunks
    fresh.batch(0, 0, 3)
    assert len(fresh._chunks) == 1


# Batches of a store are not replayed, so the teacher's must not be either.
DMT = DMTConfig(window=3, on_policy_fraction=0.5, replay_steps=1, distill=0.5)
METHODS = {
    "smt": lambda own, target_source: FrozenSMT(
        own, target_source, SMTConfig(transitions=5, noise=0.1)
    ),
    "windows": lambda own, target_source: WindowDMT(own, target_source, DMT),
    "unroll": lambda own, target_source: UnrollDMT(own, target_source, DMT),
}


class WithoutTargets:
    """The sequences of a store without their targets."""

    def __init__(self, store: LabelStore) -> None:
        self.store, self.signature = store, store.signature

    def batch(self, seed: int, index: int, size: int) -> Batch:
        return Batch(*self.store.batch(seed, index, size)[:3])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("dtype", "kind", "tolerance"),
    [
        ("float64", torch.float64, 1e-12),
        ("float32", torch.float32, 1e-5),
        ("float16", torch.float32, 3e-3),
    ],
)
def test_the_store_trains_as_the_teacher_does(name, dtype, kind, tolerance, tmp_path):
    job = new_job(tmp_path / "labels", dtype=dtype, kind=kind)
    store = written(job)
    built = job.targets.__self__
    losses, weights = [], []
    for target_source, batches in (
        (built, WithoutTargets(store)),
        (StoredTargets(store.readout().to(kind)), store),
    ):
        own, record = student(job.facts.signature).to(kind), Record()
        config = FitConfig(batch=4, warmup=1, compile="off")
        fit(
            METHODS[name](own, target_source), batches, 1e-2, Budget(steps=4), config,
            FitContext(callbacks=[record]),
        )  # fmt: skip
        losses.append([[terms["loss"], terms["gradient"]] for terms in record.terms])
        weights.append(torch.cat([p.detach().flatten() for p in own.parameters()]))
    assert np.allclose(*losses, rtol=3 * tolerance, atol=0)
    assert (weights[0] - weights[1]).norm() < 30 * tolerance * weights[0].norm()
    assert dtype != "float16" or losses[0] != losses[1]


@pytest.mark.parametrize("done", [0, 4, 5, 11, 22])
def test_an_interrupted_store_is_completed_to_the_same_bytes(store, done, tmp_path):
    job, left = new_job(tmp_path / "labels"), done

    def advance(count: int) -> None:
        nonlocal left
        left -= count
        if left <= 0:
            raise Stop

    with pytest.raises(Stop):
        write_chunks(job, begin(job, {}), advance)
    whole = [name for name in contents(job.folder) if name.startswith("chunk")]
    assert len(whole) < CHUNKS
    with pytest.raises(UsageError, match=rf"holds {len(whole)} of 5 chunks.*label .* --resume"):
        open_labels(job.folder)
    resumed(job)
    assert contents(job.folder) == contents(store.folder)


@pytest.mark.parametrize("killed", [0, 1])
def test_writers_share_a_store_and_keep_what_each_has_written(store, killed, tmp_path):
    job, asked = new_job(tmp_path / "labels"), []
    files = begin(job, {})

    def one_chunk(count: int) -> None:
        asked.append(count)
        if len(asked) > 2:
            raise Stop

    for number in (1, 0):
        if number == killed:
            asked.clear()
            with pytest.raises(Stop):  # in its second chunk
                write_chunks(job, files, one_chunk, Writers(number, 2))
        else:
            write_chunks(job, files, ignore, Writers(number, 2))
    done = {0: 3, 1: 4}[killed]
    assert sum(name.startswith("chunk") for name in contents(job.folder)) == done
    encoded = []
    targets = job.targets
    again = replace(job, targets=lambda x: encoded.append(len(x)) or targets(x))
    for number in (0, 1):
        write_chunks(again, kept(again), ignore, Writers(number, 2))
    join(job.folder)
    assert sum(encoded) == 23 - {0: 5 + 5 + 5, 1: 5 * 3 + 3}[killed]
    assert contents(job.folder) == contents(store.folder)


def test_the_remains_of_a_killed_process_are_written_again(store, tmp_path):
    job = new_job(tmp_path / "labels")
    begin(job, {})
    (job.folder / chunk_name(0)).write_bytes(b"cut sho")  # in place, but never counted
    resumed(job)
    assert contents(job.folder) == contents(store.folder)


@pytest.mark.parametrize("deleted", [0, 1, 3])
def test_a_store_half_replaced_goes_on_as_the_new_one(store, deleted, tmp_path, monkeypatch):
    job, left = new_job(tmp_path / "labels"), iter(range(deleted))
    written(replace(job, facts=replace(job.facts, seed=1)))
    unlink = Path.unlink

    def killed(path, *args, **kwargs) -> None:
        if next(left, None) is None:
            raise Stop
        unlink(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(Stop):
            begin(job, {})
    resumed(job)
    assert contents(job.folder) == contents(store.folder)


def test_resuming_leaves_whole_chunks_alone(tmp_path):
    job = new_job(tmp_path / "labels")
    written(job)
    asked = []
    resumed(replace(job, targets=asked.append))
    assert not asked
    assert kept(job).keys() == contents(job.folder).keys() - {"store.json"}


def flip(path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_damaged_chunk_is_named_when_it_is_read_and_mended(store, tmp_path):
    job = new_job(tmp_path / "labels")
    written(job)
    flip(job.folder / chunk_name(2))
    damaged = open_labels(job.folder)
    damaged.chunk(1)
    says = r"chunk-00002.safetensors' is damaged.*mend it with .pastforward label runs/.*--resume"
    with pytest.raises(UsageError, match=says):
        damaged.chunk(2)
    with pytest.raises(UsageError, match=says):
        damaged.batch(0, 0, 23)
    resumed(job)
    assert contents(job.folder) == contents(store.folder)


@pytest.mark.parametrize("name", [chunk_name(3), "readout.safetensors"])
def test_a_missing_or_short_file_is_named_at_once_and_mended(store, name, tmp_path):
    job = new_job(tmp_path / "labels")
    written(job)
    path = job.folder / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UsageError, match=f"{name}' is damaged: it is missing or cut short"):
        open_labels(job.folder)
    path.unlink()
    with pytest.raises(UsageError, match=f"{name}' is damaged"):
        open_labels(job.folder)
    resumed(job)
    assert contents(job.folder) == contents(store.folder)


def test_a_damaged_readout_is_named(tmp_path):
    job = new_job(tmp_path / "labels")
    written(job)
    flip(job.folder / "readout.safetensors")
    with pytest.raises(UsageError, match=r"readout.safetensors' is damaged"):
        open_labels(job.folder).readout()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content | {"format": 4},
        lambda content: content | {"chunk": 5, "extra": 1},
        lambda content: {k: v for k, v in content.items() if k != "files"},
        lambda content: {k: v for k, v in content.items() if k != "memory"},
        lambda content: content | {"memory": 3},
        lambda content: content | {"chunk": 0},
        lambda content: content | {"sequences": "many"},
        lambda content: content | {"files": {"chunk-00000.safetensors": [1]}},
        lambda content: [content],
        lambda content: None,
    ],
)
def test_a_store_json_that_can_not_be_read(change, store, tmp_path):
    content = json.loads((store.folder / "store.json").read_text())
    (tmp_path / "store.json").write_text(json.dumps(change(content)))
    with pytest.raises(UsageError, match=r"store.json can't be read as a label store"):
        read_store(tmp_path)


def test_a_store_of_format_1_is_refused(store, tmp_path):
    content = json.loads((store.folder / "store.json").read_text())
    assert content["format"] == 3
    (tmp_path / "store.json").write_text(json.dumps(content | {"format": 1}))
    says = r"its format is 1, and this version reads 3\); .* write the labels again with --over"
    with pytest.raises(UsageError, match=says):
        open_labels(tmp_path)


def test_the_config_comes_back_with_the_dials_of_its_components(tmp_path):
    job = new_job(tmp_path / "labels")
    config = replace(
        job.facts.config,
        teacher=TeacherConfig("delta", encoder_config=DeltaConfig(householder_steps=2)),
    )
    job = replace(job, facts=replace(job.facts, config=config))
    begin(job, {})
    found = read_store(job.folder)[0].config
    assert to_json(found) == to_json(config)
    assert ENCODERS.config("delta", found.teacher.encoder_config) == DeltaConfig(
        householder_steps=2
    )
    assert kept(job).keys() == {"readout.safetensors"}


def test_no_store(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(UsageError, match=r"holds no labels .*pastforward label RUN"):
            open_labels(folder)


def test_a_store_is_not_completed_by_another_job(store):
    job = new_job(store.folder)
    before = contents(store.folder)
    for changes in ({"teacher": "1" * 64}, {"sequences": 24}, {"seed": 1}):
        other = replace(job, facts=replace(job.facts, **changes))
        with pytest.raises(UsageError, match=f"another {next(iter(changes))} than asked for"):
            kept(other)
    assert kept(replace(job, facts=replace(job.facts, run="elsewhere")))
    assert contents(store.folder) == before


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_nothing_half_written(store, tmp_path, monkeypatch):
    job = new_job(tmp_path / "labels")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(UsageError, match="No space left"):
            begin(job, {})
    assert not list(tmp_path.iterdir())
    files, left = begin(job, {}), 10

    def advance(count: int) -> None:
        nonlocal left
        left -= count
        if left <= 0:
            monkeypatch.setattr(os, "fsync", no_space)

    with pytest.raises(UsageError, match="No space left"):
        write_chunks(job, files, advance)
    monkeypatch.undo()
    assert contents(job.folder).keys() == {"store.json", "readout.safetensors", chunk_name(0)}
    resumed(job)
    assert contents(job.folder) == contents(store.folder)


STAGE = Stage("smt-frozen", 1.0, 1e-3)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (Sizes("gru", 3, 4), "--student.slots is 3, but the label store L has K = 2 .* D = 4"),
        (Sizes("gru", 2, 8), "--student.width is 8"),
    ],
)
def test_sizes_come_from_the_store(sizes, says, store):
    config = replace(store.facts.config, student=sizes, label_store="L", stages=(STAGE,))
    with pytest.raises(UsageError, match=says):
        check(config, SOURCES["copy:8"](), store.facts)
    fitting = replace(config, student=Sizes("gru", 2, 4))
    check(fitting, SOURCES["copy:8"](), store.facts)
    with pytest.raises(UsageError, match="Other data was asked for"):
        check(replace(fitting, data=DataConfig("copy")), SOURCES["copy:8"](), store.facts)
    with pytest.raises(UsageError, match=r"reads as .* put back the data"):
        check(fitting, open_source("copy:10"), store.facts)


def test_an_lstm_needs_two_slots(store):
    facts = replace(store.facts, memory=replace(store.facts.memory, slots=3))
    config = replace(facts.config, student=Sizes("lstm", 3, 4), label_store="L", stages=(STAGE,))
    with pytest.raises(UsageError, match=r"cell 'lstm' needs K = 2 slots, but .* K = 3"):
        check(config, SOURCES["copy:8"](), facts)
