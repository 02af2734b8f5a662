"""`label` and `train --labels`: a teacher runs once, students train without it."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch.distributed as dist
from command_line import QUICK, TEXT, call, refused
from safetensors.torch import load_file

import pastforward.training.trainer as trainer_module
from pastforward.runs import labelling
from pastforward.teacher.label_store import open_labels
from pastforward.teacher.teacher import Teacher
from pastforward.training import networks

RUN = "both/smt+dmt"
LABELS = f"runs/{RUN}/labels"
STUDENT = ["train", "--labels", LABELS, *QUICK]
SEQUENCES = "10"


@pytest.fixture(scope="session")
def labelled(workshop, tmp_path_factory):
    """`workshop` with labels of its run on a task, four sequences in a chunk."""
    folder = tmp_path_factory.mktemp("labelled")
    shutil.copytree(workshop, folder, dirs_exist_ok=True)
    before = os.getcwd()
    os.chdir(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelling, "CHUNK_BYTES", 1700)
        try:
            assert labelling_done("--sequences", SEQUENCES) == 0
        finally:
            os.chdir(before)
    return folder


def labelling_done(*options: str) -> int:
    from pastforward.cli.main import main

    return main(["label", RUN, *options])


@pytest.fixture
def store(labelled, tmp_path, monkeypatch):
    """The current folder is a copy of `labelled`; chunks stay small."""
    shutil.copytree(labelled, tmp_path, dirs_exist_ok=True)
    facts = tmp_path / LABELS / "store.json"  # as if it had been written here
    facts.write_text(facts.read_text().replace(str(labelled), str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(labelling, "CHUNK_BYTES", 1700)
    return tmp_path / LABELS


@pytest.fixture
def _no_teacher(monkeypatch):
    """Building a teacher is a failure."""

    def built(*_, **__):
        raise AssertionError("a teacher was built")

    monkeypatch.setattr(networks, "build_teacher", built)
    monkeypatch.setattr(Teacher, "__init__", built)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_label_tells_the_size_and_where_the_result_lies(shop, capsys):
    said = call(capsys, "label", RUN, "--sequences", SEQUENCES, "--out", "my labels")
    assert said.code == 0
    assert "Labels of 10 sequences take 4.75 kB in my labels" in said.err
    assert said.last == (
        "Labels: 'my labels', for: pastforward train --labels 'my labels' --cell gru"
    )
    facts = json.loads((shop / "my labels" / "store.json").read_text())
    assert (facts["format"], facts["dtype"], facts["sequences"]) == (3, "float16", 10)
    assert facts["config"]["data"]["source"] == "copy:8"


@pytest.mark.usefixtures("_no_teacher")
def test_students_train_from_labels_without_a_teacher(store, capsys):
    before = contents(store)
    for cell in ("gru", "lstm"):
        said = call(capsys, *STUDENT, "--cell", cell)
        assert (said.code, said.last) == (0, f"Report: runs/copy8-labels-{cell}/report.html")
        assert "stage 1 of 2: smt-frozen" in said.err
        assert "stage 2 of 2: dmt" in said.err
        assert "teacher" not in said.out
    folder = Path("runs/copy8-labels-gru")
    config = json.loads((folder / "config.json").read_text())
    assert (config["label_store"], config["data"]["source"]) == (
        str(Path(LABELS).absolute()),
        "copy:8",
    )
    assert (config["student"]["slots"], config["student"]["width"]) == (2, 8)
    assert not (folder / "teacher.safetensors").exists()
    assert not any("teacher" in name for name in load_file(folder / "checkpoints/last.safetensors"))
    found = json.loads(call(capsys, "eval", folder.name, "--json").out)
    assert (found["teacher"], found["drift"]) == (None, None)
    assert found["facts"]["serial_calls"] == {"smt-frozen": 1, "dmt": 8}
    assert call(capsys, "report", "copy8-labels-gru", "copy8-labels-lstm").code == 0
    assert contents(store) == before


def test_other_stages(store, capsys):
    stages = ["--stages.0.method", "dmt-unroll", "--stages.1.method", "tbptt"]
    assert call(capsys, *STUDENT, *stages, "--name", "one").code == 0
    config = json.loads(Path("runs/one/config.json").read_text())
    assert [stage["method"] for stage in config["stages"]] == ["dmt-unroll", "tbptt"]


def test_a_stopped_student_goes_on_to_the_bit(store, capsys, monkeypatch):
    left, real = 2, trainer_module.Trainer._step

    def step(run):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(run)

    assert call(capsys, *STUDENT, "--name", "unbroken").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.Trainer, "_step", step)
        said = call(capsys, *STUDENT, "--name", "broken")
    assert said.code == 143
    command = shlex.split(said.err.splitlines()[-1].partition("go on with: ")[2])
    assert call(capsys, *command[1:]).code == 0
    one, other = (Path("runs") / n / "student.safetensors" for n in ("broken", "unbroken"))
    assert one.read_bytes() == other.read_bytes()


def test_a_stopped_student_does_not_go_on_with_other_labels(store, capsys):
    assert call(capsys, *STUDENT, "--name", "one").code == 0
    Path("runs/one/evaluation.json").unlink()
    assert call(capsys, "label", RUN, "--sequences", "6", "--overwrite").code == 0
    line = refused(capsys, *STUDENT, "--name", "one", "--resume")
    assert f"{LABELS} holds other targets than it began with" in line


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_stopped_label_goes_on_to_the_same_bytes(count, store, capsys, monkeypatch):
    left, real = count, Teacher.targets

    def targets(teacher, x, *more):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return real(teacher, x, *more)

    with monkeypatch.context() as patch:
        patch.setattr(Teacher, "targets", targets)
        said = call(capsys, "label", RUN, "--sequences", SEQUENCES, "--out", "again")
    assert (said.code, said.out) == (130, "")
    head, _, command = said.err.splitlines()[-1].partition("go on with: ")
    assert head == "pastforward: stopped, whole chunks are kept; "
    assert "of 3 chunks of labels; go on with" in refused(capsys, "train", "--labels", "again")
    assert call(capsys, *shlex.split(command)[1:]).code == 0
    assert contents(Path("again")) == contents(store)


def test_a_damaged_chunk_stops_training_and_is_mended(store, capsys):
    before = contents(store)
    damaged = bytearray(before["chunk-00001.safetensors"])
    damaged[-1] ^= 1
    (store / "chunk-00001.safetensors").write_bytes(damaged)
    said = call(capsys, *STUDENT, "--fit.batch", "10")
    assert (said.code, said.out) == (2, "")
    line = said.err.splitlines()[-1]
    assert "labels/chunk-00001.safetensors' is damaged" in line
    mending = line.partition("mend it with `")[2].removesuffix("`.")
    assert call(capsys, *shlex.split(mending)[1:]).code == 0
    assert contents(store) == before
    assert call(capsys, *STUDENT, "--fit.batch", "10").code == 0


def test_label_refuses_resumes_and_overwrites(store, capsys):
    before = contents(store)
    words = ["label", RUN, "--sequences", SEQUENCES]
    assert "already holds labels; add --resume" in refused(capsys, *words)
    assert "another sequences than asked" in refused(capsys, "label", RUN, "--resume")
    assert "another seed than" in refused(capsys, *words, "--seed", "1", "--resume")
    said = call(capsys, *words, "--resume")
    assert said.code == 0
    assert "of it written before" in said.err
    assert contents(store) == before
    assert call(capsys, *words, "--seed", "1", "--overwrite").code == 0
    assert contents(store).keys() == before.keys()
    assert contents(store) != before


def test_a_folder_of_my_own_stays(shop, capsys):
    (shop / "mine").mkdir()
    (shop / "mine" / "notes").write_text("years of work")
    for option in ([], ["--overwrite"]):
        line = refused(capsys, "label", RUN, "--sequences", "4", "--out", "mine", *option)
        assert "made by no `label`" in line
    assert contents(shop / "mine") == {"notes": b"years of work"}
    assert call(capsys, "label", RUN, "--sequences", "4", "--out", "new").code == 0
    (shop / "new" / "notes").write_text("more work")
    resume_command = ["label", RUN, "--sequences", "2", "--out", "new", "--overwrite"]
    assert call(capsys, *resume_command).code == 0
    assert (shop / "new" / "notes").exists()


def test_other_data_of_the_same_kind(shop, capsys):
    words = ["label", "tale-smt+dmt", "--sequences", "4"]
    (shop / "more.txt").write_text(TEXT[::-1] * 2)
    assert call(capsys, *words, "--data", "more.txt", "--out", "more").code == 0
    store = open_labels("more")
    assert (store.facts.data.source, store.facts.data.length) == (str(shop / "more.txt"), 16)
    (shop / "other.txt").write_text(TEXT.replace("memory", "MEMORY"))
    (shop / "same.txt").write_text(TEXT.replace("m", "M"))
    for data, says in (
        ("other.txt", "trained on did not: ['E', 'M'"),
        ("same.txt", "trained on did not: ['M'"),
        ("copy32", "one length"),
        ("copy:16", "reads as"),
        ("digits", "whose sequences have 64"),
        ("nothing.txt", "no data 'nothing.txt'"),
    ):
        assert says in refused(capsys, *words, "--data", data, "--out", "none"), data
    assert not (shop / "none").exists()
    reads = refused(capsys, "label", RUN, "--data", "reversed_copy:8", "--sequences", "0")
    assert "--sequences is 0" in reads


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("label", "Missing from pastforward label: RUN"),
        ("label nothing", "no run 'nothing'"),
        ("label both", "choose one of both/bptt, both/smt"),
        ("label squares-bptt", "squares-bptt has no teacher; label with a run that trained one"),
        (f"label {RUN} --sequences 0", "--sequences is 0; give 1 or more"),
        (f"label {RUN} --sequences -3", "--sequences is -3"),
        (f"label {RUN} --sequences {10**14}", r"take 4.24e\+04 TB, but the disk of"),
        (f"label {RUN} --sequences {10**21}", "give 1 or more, of at most 15 digits"),
        (f"label {RUN} --sequences many", "--sequences: .*'many'"),
        (f"label {RUN} --resume --overwrite", "Both --resume and --overwrite"),
        (f"label {RUN} --resume", "holds no labels"),
        (f"label {RUN} --out tale.txt", "made by no `label`"),
        (f"label {RUN} --out tale.txt/labels", r"Can't write .*tale.txt/labels \(.*--out"),
        ("train --labels", "Missing value for argument '--labels'"),
        ("train --labels nowhere", "nowhere holds no labels .*pastforward label RUN"),
        ("train copy:8 --labels nowhere", "Both 'copy:8' and --labels were given"),
        ("train --cell gru", "Name a RECIPE or PATH first"),
        ("compare --labels nowhere", "labels"),
    ],
)
def test_what_can_not_be(words, says, shop, capsys):
    before = contents(shop)
    assert_says(refused(capsys, *words.split()), says)
    assert contents(shop) == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--student.slots 3", r"slots is 3, but the label store .* has K = 2 slots of width D = 8"),
        ("--student.width 16", "--student.width is 16"),
        ("--cell grue", "no cell 'grue'; did you mean 'gru'"),
        ("--cell lstm --student.slots 3", "--student.slots is 3|K = 2 slots"),
        (
            "--stages.0.method teacher",
            "Stage 'teacher' trains a teacher, .*smt-frozen, teacher",
        ),
        ("--stages.0.method smt", "Stage 'smt' trains a teacher"),
        ("--method smt+dmt", "Stage 'teacher' trains a teacher"),
        ("--method label", "no method 'label'; did you mean 'labels'"),
        ("--smt.consistency 0.5", "--smt.consistency is 0.5, which needs the teacher's decoder"),
        ("--data.length 16", "one length|Other data"),
        ("--data.source copy:10", "Unrecognized options: --data.source"),
        ("--steps 0", "steps=0"),
    ],
)
def test_options_that_do_not_fit_the_labels(options, says, store, capsys):
    before = contents(Path())
    assert_says(refused(capsys, *STUDENT, *options.split()), says)
    assert contents(Path()) == before


def test_methods_need_a_teacher_where_there_are_no_labels(here, capsys):
    assert "no method 'labels'" in refused(capsys, "train", "copy:8", "--method", "labels", *QUICK)


@pytest.mark.parametrize("name", ["chunk-00002.safetensors", "readout.safetensors", "store.json"])
def test_files_that_are_missing_or_short(name, store, capsys):
    path = store / name
    content = path.read_bytes()
    for damage in (lambda: path.write_bytes(content[:-3]), path.unlink):
        damage()
        before = contents(Path())
        refused(capsys, *STUDENT)
        assert contents(Path()) == before
        path.write_bytes(content)


def test_a_disk_that_is_too_small(shop, capsys, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(4700))
    before = contents(shop)
    line = refused(capsys, "label", RUN, "--sequences", SEQUENCES)
    assert "10 sequences take 4.75 kB, but the disk of" in line
    assert "has 4.7 kB left; give fewer --sequences or another --out" in line
    assert contents(shop) == before


def assert_says(line: str, says: str) -> None:
    import re

    assert re.search(says, line), line


def by_two_ranks(*words: str) -> subprocess.CompletedProcess:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    return subprocess.run(
        [*launch, "2", str(Path(__file__).with_name("label_ranks.py")), *words], text=True,
        capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not dist.is_available(), reason="this torch has no ranks")
def test_two_ranks_write_the_same_bytes(store, capsys):
    words = ["label", RUN, "--sequences", SEQUENCES, "--out", "two"]
    done = by_two_ranks(*words)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("Labels: ") == done.stderr.count("in two") == 1
    assert contents(Path("two")) == contents(store)
    again = by_two_ranks(*words)
    assert again.returncode != 0
    assert again.stderr.count("already holds labels; add --resume") == 1
    assert "fault of pastforward" not in again.stderr
