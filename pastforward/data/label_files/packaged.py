"""L1. Labelled sequences that come with other packages: no download, no file of one's own."""

from importlib.util import find_spec
from pathlib import Path

from pastforward.data import LabelledConfig
from pastforward.data.files import optional_package
from pastforward.data.label_files.ts import read_ts
from pastforward.data.labelled import Reading
from pastforward.data.targets import Given
from pastforward.errors import UsageError

ARCHIVE = {"acsf1": "ACSF1", "plaid": "PLAID", "japanese_vowels": "JapaneseVowels"}
"""Names here, and those of the UCR/UEA archive."""


def read_archive(source: str, options: LabelledConfig) -> Reading:
    """A data set of the UCR/UEA archive that sktime's package holds.

    Power of appliances, 1,460 steps (acsf1) or up to 1,344 (plaid); vowels, 12 channels of up to 29
    steps. Raises `UsageError` where sktime is not installed.
    """
    found = find_spec("sktime")  # not imported: that takes seconds
    if found is None or not found.submodule_search_locations:
        optional_package("sktime", "ts", source)
        raise UsageError(f"'{source}' lies in the package sktime, which holds no data here.")
    folder = Path(found.submodule_search_locations[0]) / "datasets" / "data" / ARCHIVE[source]
    return read_ts(str(folder), options)._replace(name=source, how=f"{ARCHIVE[source]} of sktime")


def read_mnist1d(source: str, options: LabelledConfig) -> Reading:
    """MNIST-1D: ten shapes of 40 steps, made anew from a fixed seed (Greydanus 2020).

    4,000 training and 1,000 test sequences, arXiv 2011.14439. Raises `UsageError` where the package
    mnist1d is not installed.
    """
    data = optional_package("mnist1d.data", "mnist1d", source)
    made = data.make_dataset(data.get_dataset_args())
    parts = {"train": Given(made["x"], made["y"]), "test": Given(made["x_test"], made["y_test"])}
    return Reading(source, parts, how="made by the package mnist1d")
