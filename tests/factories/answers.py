"""Known answers: what each generator yields for a fixed seed.

``python -m tests.factories.answers`` writes them. A change of `known_answers.json` means that released datasets
would be rebuilt with other rows: add lines for new generators, never change those that are there.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import tdv.factories
from tdv.content.digest import leaf
from tdv.content.text import to_plain
from tdv.factories.names import name_table
from tdv.factories.random import Stream
from tdv.model.types import LogicalType
from tests.factories.specs import generator, read_spec

FILE = Path(__file__).with_name("known_answers.json")
ROWS = 1000
SHOWN = 3
TABLES = """
parents: {rows: 700, key: [id], columns: {id: {type: int64, generate: {sequence: {start: 5, step: 2}}}}}
items:
  rows: 1000
  key: [sequence]
  columns:
    sequence: {type: int64, generate: {sequence: {start: 1}}}
    constant: {type: timestamp, generate: {constant: as_of - 1h}}
    choice: {type: string, generate: {choice: [a, b, c]}}
    choice_unique: {type: int32, unique: true, generate: {choice: CHOICES}}
    choice_weighted: {type: bool, generate: {choice: {true: 2.5, false: 1}}}
    template: {type: string, generate: {template: "user{sequence}-{index}@{choice}"}}
    uniform: {type: int64, generate: {uniform: {min: -5000000000, max: 5000000000}}}
    uniform_decimal: {type: "decimal(8,3)", generate: {uniform: {min: -1, max: 1}}}
    uniform_float: {type: float64, generate: {uniform: {min: -1, max: 1}}}
    uniform_unique: {type: int32, unique: true, generate: {uniform: {min: 1, max: 1200}}}
    normal: {type: float64, generate: {normal: {mean: 38, sd: 12}}}
    normal_bounded: {type: int16, nullable: true, generate: {normal: {mean: 38, sd: 12, min: 20, max: 50}, "null": 0.1}}
    lognormal: {type: "decimal(12,2)", generate: {lognormal: {median: 50, sigma: 0.8}}}
    exponential: {type: float64, generate: {exponential: {mean: 3}}}
    poisson: {type: int32, generate: {poisson: {mean: 4.5}}}
    date: {type: date, generate: {datetime: {from: 2020-01-01, to: as_of}}}
    time: {type: time, generate: {datetime: {from: 09:00:00, to: 17:00:00}}}
    timestamp: {type: timestamptz, generate: {datetime: {from: as_of - 30d, to: as_of}}}
    uuid: {type: uuid, generate: {uuid: {}}}
    pattern: {type: string, generate: {pattern: "[A-Z]{3}-\\\\d{4}(x|yy)?"}}
    pattern_unique: {type: string, unique: true, generate: {pattern: "[a-z0-9]{1,2}"}}
    email_unique: {type: string, unique: true, generate: {faker: email}}
    pick: {type: int64, references: parents.id, generate: {pick: {}}}
    pick_skewed: {type: int64, references: parents.id, generate: {pick: {skew: 1.1}}}
    derive: {type: int64, generate: {derive: sequence * 2 + poisson}}
    list: {type: "list<int32>", generate: {list: {of: {uniform: {min: 1, max: 6}}, min: 0, max: 3}}}
    struct: {type: "struct<a: int16, b: string>", generate: {struct: {a: {poisson: {mean: 1}}, b: {faker: city}}}}
pairs:
  rows: 1000
  key: [parent, number]
  columns:
    parent: {type: int64, references: parents.id, generate: {pick: {}}}
    number: {type: int16, generate: {uniform: {min: 1, max: 9}}}
"""


def frozen() -> dict[str, list[str]]:
    """The providers that the frozen table of each locale serves."""
    files = sorted(Path(tdv.factories.__file__).with_name("tables").glob("*.json"))
    tables = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
    return {locale: sorted({*table["lists"], *table["formats"]}) for locale, table in tables.items()}


def answers() -> dict[str, Any]:
    """The first values of each generator and the digest of a thousand, by table and column, and by locale."""
    with tempfile.TemporaryDirectory() as directory:
        spec = read_spec(Path(directory), TABLES.replace("CHOICES", str(list(range(1000)))))
    found: dict[str, Any] = {"generators": {}, "names": {}}
    for table in spec.tables:
        block = generator(spec, table.name).block(0, table.rows)
        for column in table.schema.columns:
            array = block.column(column.name).combine_chunks()
            found["generators"][f"{table.name}.{column.name}"] = {
                "first": to_plain(array.slice(0, SHOWN), column.type),
                "digest": leaf(array, column.type),
            }
    for locale, providers in frozen().items():
        names = name_table(locale)
        assert names is not None
        for provider in providers:
            array = names.values(provider, np.arange(ROWS), Stream(42, (locale, provider)))
            found["names"][f"{locale}.{provider}"] = {
                "first": array[0].as_py(),
                "digest": leaf(array, LogicalType("string"))[:16],
            }
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps(answers(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
