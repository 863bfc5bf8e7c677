"""Specs for tests, read from text as a user would write it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import numpy as np
import pyarrow as pa

from tdv.build import BuildInputs, generate
from tdv.factories.parents import Given, ParentKeys
from tdv.factories.table import TableGenerator
from tdv.model.spec import DatasetSpec
from tdv.spec import load

HEAD = """\
dataset: shop
seed: 42
as_of: 2026-01-01T00:00:00Z
"""


def read_spec(root: Path, tables: str, *, head: str = HEAD, factories: str | None = None) -> DatasetSpec:
    """The spec of a dataset `shop` below `root`, whose ``tables:`` are given as YAML."""
    directory = root / "datasets" / "shop"
    directory.mkdir(parents=True, exist_ok=True)
    text = f"{head}tables:\n{indent(dedent(tables).strip(), '  ')}\n"
    (directory / "dataset.yaml").write_text(text, encoding="utf-8")
    if factories is not None:
        (directory / "factories.py").write_text(dedent(factories), encoding="utf-8")
    return load(directory / "dataset.yaml", root)


def one_column(root: Path, column: str, *, rows: int = 200) -> DatasetSpec:
    """A spec with a table `items` whose columns are a key `id` and `value`, written as flow YAML."""
    return read_spec(
        root,
        f"""
        items:
          rows: {rows}
          key: [id]
          columns:
            id: {{type: int64, generate: {{sequence: {{start: 1}}}}}}
            value: {column}
        """,
    )


def generator(spec: DatasetSpec, table: str = "items", **given: object) -> TableGenerator:
    """The generator of a table that needs no worker."""
    return ParentKeys(Given(spec, **given)).generator(table)  # type: ignore[arg-type]


def column(spec: DatasetSpec, name: str = "value", *, table: str = "items") -> pa.Array:
    """All generated values of a column."""
    made = generator(spec, table)
    return made.column(name, np.arange(made.rows, dtype=np.int64))


def inputs(root: Path, **more: object) -> BuildInputs:
    """What a build of the spec below `root` reads."""
    return BuildInputs(root, root / "datasets" / "shop", root / "scratch", **more)  # type: ignore[arg-type]


def built(spec: DatasetSpec, given: BuildInputs) -> dict[str, pa.Table]:
    """All tables of the dataset, whole."""
    return {schema.name: pa.concat_tables(blocks).combine_chunks() for schema, blocks in generate(spec, given)}
