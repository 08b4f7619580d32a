"""Facts and measurements: data/*.csv, one row per fact, with its source and how it is known.

Nothing else in the package knows a file path.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def _folder(name: str) -> Path:
    """A folder of the checkout, or of the installed package."""
    package = Path(__file__).parent
    installed = package / f"_{name}"
    return installed if installed.is_dir() else package.parent / name


def notebooks_dir() -> Path:
    """Where the notebooks are."""
    return _folder("notebooks")


def web_dir() -> Path:
    """Where the sources of the page that travels are."""
    return _folder("web")


def data_files() -> list[Path]:
    """The files of the tables."""
    return sorted(_folder("data").glob("*.csv"))


def tables() -> list[str]:
    """Names of the tables."""
    return [path.stem for path in data_files()]


def _path(name: str) -> Path:
    """The file of a table.

    Raises ValueError for an unknown one, naming those there are.
    """
    if name not in tables():
        raise ValueError(f"unknown table {name!r}; the tables are: {', '.join(tables())}")
    return _folder("data") / f"{name}.csv"


@cache
def rows(name: str) -> list[dict[str, str]]:
    """A table as dictionaries of text, without pandas.

    Raises ValueError for an unknown table.
    """
    with _path(name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def passages(folder: str) -> str:
    """The texts of a folder of data/, one after the other."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((_folder("data") / folder).glob("*.md")))


@cache
def _read(name: str) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(_path(name), keep_default_na=False, na_values=[""])


def frame(name: str) -> pd.DataFrame:
    """A table as a DataFrame of your own; counts that do not exist are missing values.

    Raises ValueError for an unknown table.
    """
    return _read(name).copy()


def as_frame(rows: Sequence[Sequence[object]], columns: Sequence[str], **types: str) -> pd.DataFrame:
    """Rows as a DataFrame, some columns of a given type."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns)).astype(types)
