"""``dataset.yaml`` as a `DatasetSpec`.

In: the path of a spec. Out: a frozen value, or one `DocumentError` with every mistake in it. Always holds: what is
given back refers to nothing that is not there: every key, reference, template and range has been looked up.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from tdv.documents import Mistakes
from tdv.model.spec import DatasetSpec
from tdv.spec.assemble import assemble
from tdv.spec.check import check, refuse_of_migrations
from tdv.spec.layers import read
from tdv.spec.place import placed
from tdv.spec.types import parse_type

FILE: Final = "dataset.yaml"

__all__ = ["FILE", "load", "parse_type", "placed"]


def load(path: Path, root: Path, of_migrations: Collection[str] = ()) -> DatasetSpec:
    """The spec in the file `path`, which lies below the repository's root `root`.

    No table of the spec may be one of `of_migrations`, in which the project's migration tool keeps what it did.

    A spec that extends another is read together with it. Raises `ConfigError` when the file cannot be read and
    `DocumentError` with all mistakes, each with file, line, key, what was expected and the nearest valid word.
    """
    mistakes = Mistakes()
    layers = read(path, root, mistakes)
    check(layers, root, mistakes)
    refuse_of_migrations(layers, of_migrations, mistakes)
    mistakes.raise_if_any()
    return assemble(layers, path, root)
