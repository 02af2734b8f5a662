"""L1. Tables and frames as series, as the dials of `SeriesConfig` say."""

from pastforward.data import DataConfig, SeriesConfig
from pastforward.data.calendar import calendar_of, seasons_of
from pastforward.data.codec import Codec
from pastforward.data.files import table_at
from pastforward.data.forecast_codec import ForecastCodec
from pastforward.data.panel import Names, Panel, names_in, read_panel
from pastforward.data.relative import chosen_lag, relative_codec
from pastforward.data.scaling import plain_codec, require_numbers, training_rows
from pastforward.data.series import SeriesSource
from pastforward.data.tables import Table, read_delimited
from pastforward.errors import UsageError
from pastforward.files import expanded
from pastforward.types import Kind, Quantiles, StudentT, Vectors


def open_csv(config: DataConfig, options: SeriesConfig, codec: Codec | None = None) -> SeriesSource:
    """The series of a .csv or .tsv file, read by `codec` where a network was trained with one.

    Raises `UsageError` for a cell that is no finite number, a missing column, dates that are no
    regular axis, or too few rows.
    """
    path = table_at(expanded(config.source))
    table = read_delimited(path, options.header, missing=True)
    saved = codec if isinstance(codec, ForecastCodec) else None
    return series_source(table, options, config.length, saved)


def series_source(
    table: Table, options: SeriesConfig, length: int | None = None,
    codec: ForecastCodec | None = None,
) -> SeriesSource:  # fmt: skip
    """The series of a table, to train on."""
    name = str(table.path)
    panel = panel_of(table, options, codec)
    how = {"table": table.how} | _told(panel)
    if codec is None:
        codec, reason = _codec(name, panel, options)
        how |= reason
    if codec.seasons or codec.calendar:
        seasons = ", ".join(map(str, codec.seasons)) or "none"
        how["seasons"] = f"{seasons} rows; calendar of {', '.join(codec.calendar) or 'nothing'}"
    return SeriesSource(name, panel, (), length, how, codec, _outputs(panel, options))


def panel_of(table: Table, options: SeriesConfig, codec: ForecastCodec | None = None) -> Panel:
    """The series of a table, with the columns and frequency of `codec` where one is given."""
    where = f"'{table.path}'"
    if codec is None:
        others = Names((), options.known, options.static, by=options.series)
        names, frequency = names_in(table.frame, options.columns, others, options.time), ""
    else:
        names = Names(codec.columns, codec.known, codec.static, codec.time, codec.by)
        frequency = codec.frequency
    panel = read_panel(table, names, where, frequency)
    if frequency and panel.frequency != frequency:
        raise UsageError(f"{where} has rows every {panel.frequency}, not every {frequency}.")
    for one in panel.series:
        require_numbers(str(table.path), one.values, names.columns, missing=True)
    if options.missing == "refuse" and panel.missing:
        raise UsageError(
            f"{where} lacks {panel.missing} values, {panel.gaps} rows among them, where "
            "--data.missing refuse was given; mend it, or fill them by 'last', 'season' or 'mean'."
        )
    return panel


def _codec(name: str, panel: Panel, options: SeriesConfig) -> tuple[ForecastCodec, dict[str, str]]:
    """How a panel is read, and why its outputs are relative to what they are."""
    rows = min(len(training_rows(one.values)) for one in panel.series)
    frequency = panel.frequency
    seasons = options.seasons or seasons_of(frequency, rows)
    calendar = () if options.calendar == ("none",) else options.calendar
    if calendar == ("auto",):
        calendar = calendar_of(frequency, max(len(one.values) for one in panel.series))
    if calendar and not frequency:
        raise UsageError(
            f"--data.calendar {' '.join(calendar)} was given for '{name}', which has no dates; "
            "name their column by --data.time."
        )
    codec = plain_codec(
        name,
        panel,
        seasons=tuple(sorted(seasons)),
        calendar=calendar,
        missing=options.missing,
        marked=True,
    )
    if options.relative != "auto":
        lag = _asked(options.relative)
        return relative_codec(codec, panel, lag), {"relative": f"to {_named(lag)}, as asked"}
    lag, errors = chosen_lag(codec, panel)
    shown = ", ".join(f"{_named(one)} {error:.3g}" for one, error in errors.items())
    reason = f"to {_named(lag)}, the best on validation rows by a linear map ({shown})"
    return relative_codec(codec, panel, lag), {"relative": reason} if errors else {}


def _asked(relative: str) -> int:
    return {"none": 0, "last": 1}.get(relative) or int(relative if relative.isdecimal() else 0)


def _named(lag: int) -> str:
    return {0: "nothing", 1: "the last value"}.get(lag, f"the value {lag} rows before")


def _outputs(panel: Panel, options: SeriesConfig) -> Kind:
    width = len(panel.names.columns)
    if options.quantiles:
        return Quantiles(width, options.quantiles)
    return StudentT(width) if options.head == "student-t" else Vectors(width)


def _told(panel: Panel) -> dict[str, str]:
    """What was understood of dates and series, for people."""
    found = {}
    if panel.names.time:
        starts = [one.start for one in panel.series]
        ends = [one.dates(panel.frequency, max(1, len(one.values)))[-1] for one in panel.series]
        found["dates"] = (
            f"column '{panel.names.time}', {min(starts)} to {max(ends)}, a row every "
            f"{panel.frequency}, {panel.gaps or 'no'} rows left out"
        )
    if panel.names.by:
        found["series"] = f"{len(panel.series)}, by column '{panel.names.by}'"
    return found
