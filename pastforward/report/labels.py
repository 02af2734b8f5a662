"""L4. Figures of labels as tables and in words, from scores as JSON."""

from collections.abc import Sequence
from typing import Any

from pastforward.analysis.metrics import METRICS, OF_CLASSES, OF_NUMBERS, figure
from pastforward.report.colours import GREY, colour_of
from pastforward.report.formats import NOTHING, number, percent
from pastforward.report.summary import RunSummary
from pastforward.report.tables import Line, Table

FEW_CLASSES = 20
"""Up to so many, each class has a row on the console and its counts in the confusion matrix."""
_PAIRS = 15

Json = dict[str, Any]


def metric_text(name: str, value: float | None) -> str:
    """A metric's value as people read it."""
    if METRICS[name].share:
        return percent(value)
    if name in ("mse", "mae"):
        return NOTHING if value is None else f"{value:.4g}"
    return number(value, 3)


def metrics_in(score: Json | None) -> tuple[str, ...]:
    """Names of the metrics of labels that a score has."""
    score = score or {}
    if score.get("classes"):
        return OF_CLASSES
    return OF_NUMBERS if score.get("numbers") else ()


def unhelpful_labels(score: Json) -> str:
    """A sentence where the network is no better than one constant answer; else ''."""
    classes, numbers = score.get("classes"), score.get("numbers")
    if classes and classes["accuracy"] <= classes["majority"]:
        answer = "the more frequent answer to each label"
        if classes["confusion"] or len(classes["names"]) == 1:
            common = classes["names"][classes["count"].index(max(classes["count"]))]
            answer = f"'{common}', the most frequent class"
        return (
            f"right no more often than always answering {answer} ({percent(classes['majority'])})"
        )
    if numbers and numbers["r2"] is not None and numbers["r2"] <= 0.0:
        return "no nearer than always answering the mean, which has R2 = 0"
    return ""


def label_table(runs: Sequence[RunSummary]) -> Table | None:
    """The metrics of every student and teacher; None where there are no labels."""
    lines, names = [], ()
    for kind in ("student", "teacher"):
        for place, run in enumerate(runs):
            score = run.evaluation.get(kind)
            found = metrics_in(score)
            if not found or score is None:
                continue
            names, note = found, unhelpful_labels(score)
            lines.append(Line(
                [run.name if kind == "student" else f"teacher of {run.name}",
                 *(metric_text(name, figure(name, score)) for name in found)],
                "unhelpful" if note else kind, group=kind, notes=[note] if note else [],
                colour=colour_of(place) if kind == "student" else GREY,
            ))  # fmt: skip
    head = ["network", *(METRICS[name].label for name in names)]
    what = "Numbers, errors in the data's units" if names == OF_NUMBERS else "Classes"
    return Table(head, lines, title=what) if lines else None


def label_tables(runs: Sequence[RunSummary]) -> list[Table]:
    """What the console shows of labels: `label_table`, and `detail_tables` of a single run."""
    whole = label_table(runs)
    details = detail_tables(runs[0].evaluation["student"]) if len(runs) == 1 else []
    return [] if whole is None else [whole, *details]


def detail_tables(score: Json) -> list[Table]:
    """By class, or the pairs most often confused where there are many; by output of numbers."""
    classes, numbers = score.get("classes"), score.get("numbers")
    if numbers:
        return [number_table(numbers)] if len(numbers["mse_of"]) > 1 else []
    if not classes:
        return []
    few = len(classes["names"]) <= FEW_CLASSES
    return [class_table(classes)] if few else [t for t in [confused_table(classes)] if t]


def class_table(classes: Json) -> Table:
    """Outputs, precision, recall and F1 of each class."""
    columns = (classes[name] for name in ("names", "count", "precision", "recall", "f1"))
    lines = [
        Line((name, number(count, 0), percent(precision), percent(recall), number(f1, 3)))
        for name, count, precision, recall, f1 in zip(*columns, strict=True)
    ]
    return Table(("class", "outputs", "precision", "recall", "F1"), lines, title="By class")


def confused_table(classes: Json) -> Table | None:
    """The pairs of classes that are most often confused; None where none is known."""
    names, counts = classes["names"], classes["count"]
    pairs = [
        (count, true, said)
        for true, row in enumerate(classes["confusion"] or [])
        for said, count in enumerate(row)
        if count and true != said
    ]
    pairs.sort(key=lambda pair: (-pair[0], *pair[1:]))
    lines = [
        Line((names[true], names[said], number(count, 0), percent(count / counts[true])))
        for count, true, said in pairs[:_PAIRS]
    ]
    head = ("class", "taken for", "times", "of the class")
    return Table(head, lines, names=2, title="Most often confused") if lines else None


def number_table(numbers: Json) -> Table:
    """The errors of each output."""
    columns = (numbers[f"{name}_of"] for name in OF_NUMBERS)
    lines = [
        Line((str(place), *(metric_text(n, v) for n, v in zip(OF_NUMBERS, row, strict=True))))
        for place, row in enumerate(zip(*columns, strict=True), 1)
    ]
    head = ("output", *(METRICS[name].label for name in OF_NUMBERS))
    return Table(head, lines, title="By output")
