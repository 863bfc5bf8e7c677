"""The inside of a worker process: makes the rows of an order and writes them down.

In: the path of a pickled `Order`, written by the process that started this one. Out: an Arrow file, and a report
with the files that the factory read, or the error that stopped it. Always holds: there is a report unless the
process was killed.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import arrow_type
from tdv.content.no_pandas import keep_out
from tdv.errors import Bug, ConfigError, DocumentError, FactoryError, Problem, TdvError
from tdv.factories.isolation import Isolation
from tdv.factories.parents import ParentKeys
from tdv.factories.worker import Order
from tdv.model.schema import Column
from tdv.model.spec import TableSpec

_FACTORIES: Final = "factories.py"
_HINT: Final = "Mend the factory; `tdv sample` runs it for a few rows."


def main(path: str) -> None:
    """Carries out the order in the file `path`."""
    order: Order = pickle.loads(Path(path).read_bytes())
    isolation = Isolation(order.job.root, order.job.given.spec.as_of, order.job.variation.clock_days)
    keep_out()
    pa.scalar(0)  # pyarrow looks for pandas once, and would find it when a factory asks first
    isolation.begin()
    try:
        _write(order)
        report: dict[str, Any] = {"files": isolation.files(order.job.directory / _FACTORIES)}
    except DocumentError as exc:
        problems = [asdict(problem) for problem in exc.problems]
        report = {"error": {"kind": "document", "problems": problems, "hint": exc.hint}}
    except TdvError as exc:
        kind = "config" if isinstance(exc, ConfigError) else "bug" if isinstance(exc, Bug) else "factory"
        where = isolation.place(exc.__traceback__) if kind == "factory" else None
        message = f"{where}: {exc.message}" if where else exc.message
        report = {"error": {"kind": kind, "message": message, "hint": exc.hint}}
    except SyntaxError as exc:
        report = {"error": _no_python(isolation, exc)}
    except BaseException as exc:  # noqa: BLE001 - whatever a factory raises is its failure and is reported
        report = {"error": _failure(isolation, exc)}
    isolation.end()
    order.report.write_text(json.dumps(report), encoding="utf-8")


def _no_python(isolation: Isolation, exc: SyntaxError) -> dict[str, Any]:
    """A file that nobody could run is a mistake in a file of the project, as one in the spec is."""
    file = isolation.relative(exc.filename) if exc.filename else _FACTORIES
    problem = Problem(file, exc.lineno or 1, "", f"{type(exc).__name__}: {exc.msg}", exc.offset or 1)
    return {"kind": "document", "problems": [asdict(problem)], "hint": _HINT}


def _failure(isolation: Isolation, exc: BaseException) -> dict[str, Any]:
    where = isolation.place(exc.__traceback__)
    lines = "".join(traceback.format_exception_only(exc)).strip().splitlines()
    said = " ".join(line.strip() for line in lines)
    return {"kind": "factory", "message": f"{where or _FACTORIES}: {said}", "hint": _HINT}


def _write(order: Order) -> None:
    job = order.job
    table = job.given.spec.table(job.table)
    columns = [table.schema.column(name) for name in job.columns]
    schema = pa.schema([pa.field(column.name, arrow_type(column.type)) for column in columns])
    blocks = _blocks(order, table, columns)
    with pa.OSFile(str(order.output), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for block in blocks:
            writer.write_table(block.cast(schema))


def _blocks(order: Order, table: TableSpec, columns: list[Column]) -> Iterator[pa.Table]:
    from tdv.factories.making import FromFactory, live_faker

    job = order.job
    parents = ParentKeys(job.given, live_faker)
    own = [column for column in columns if column.name not in table.generators]
    maker = FromFactory(_factory(order, table), job.given.spec, table, parents) if own else None
    generator = parents.generator(table.name)
    for start in range(job.rows.start, job.rows.stop, job.variation.block_rows):
        rows = np.arange(start, min(start + job.variation.block_rows, job.rows.stop), dtype=np.int64)
        made: Mapping[str, pa.Array] = maker.columns(own, rows) if maker is not None else {}
        arrays = [
            made[column.name] if column.name in made else generator.column(column.name, rows) for column in columns
        ]
        yield pa.table(arrays, names=[column.name for column in columns])


def _factory(order: Order, table: TableSpec) -> Any:
    from tdv.factories.factory import Factory

    job = order.job
    place = f"{job.directory.name}/{_FACTORIES}"
    module = _module(job.directory / _FACTORIES, job.root, place)
    found = getattr(module, str(table.factory), None)
    if not (isinstance(found, type) and issubclass(found, Factory)):
        known = [name for name, value in vars(module).items() if isinstance(value, type) and issubclass(value, Factory)]
        others = ", ".join(name for name in known if name != "Factory") or "none"
        raise FactoryError(
            f"{place} has no factory {table.factory!r} for the table {table.name!r}",
            hint=f"Its factories are {others}; a factory is a class derived from tdv.factories.Factory.",
        )
    if found.row is Factory.row and found.columns is Factory.columns:
        raise FactoryError(
            f"{place}: {table.factory} has neither row(self, at) nor columns(self, at)",
            hint="Write one of them; row gives the values of one row as a mapping.",
        )
    return found()


def _module(path: Path, root: Path, place: str) -> ModuleType:
    if not path.is_file():
        raise FactoryError(f"{place} is missing", hint="Write it, or take `factory:` out of the spec.")
    sys.path[:0] = [str(root), str(path.parent)]
    spec = importlib.util.spec_from_file_location("factories", path)
    if spec is None or spec.loader is None:
        raise FactoryError(f"{place} cannot be loaded", hint="It must be a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules["factories"] = module
    spec.loader.exec_module(module)
    return module
