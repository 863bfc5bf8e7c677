"""The files that every new dataset begins with.

In: a name and a moment. Out: texts. Always holds: the example is a spec that builds and passes its own checks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

HEAD: Final = """\
# The tables of this dataset, their rules, and how their rows come about.
# `tdv build {name}` makes a snapshot of it, `tdv validate {name}` checks the snapshot.
{remark}
dataset: {name}
description: Test data of {name}
seed: 1                         # another seed gives other generated values
as_of: {as_of}     # "now" for everything that is generated
"""
EXAMPLE_REMARK: Final = """\
# This is an example to begin with: replace the tables by your own."""
SCHEMA_REMARK: Final = """\
# Rows are in seeds/. Mark personal columns, as in `privacy: email`: their values are kept out of reports."""
EXAMPLE_TABLES: Final = """\
tables:

  customers:
    rows: 50
    key: [id]
    columns:
      id:        {type: int64, generate: {sequence: {start: 1}}}
      email:     {type: string, format: email, unique: true, privacy: email,
                  generate: {template: "customer{id}@example.test"}}
      name:      {type: string, privacy: name, generate: {faker: name}}
      joined_at: {type: timestamp, generate: {datetime: {from: as_of - 730d, to: as_of}}}

  orders:
    rows: 200
    key: [id]
    columns:
      id:          {type: int64, generate: {sequence: {start: 1}}}
      customer_id: {type: int64, references: customers.id, generate: {pick: {skew: 1.1}}}
      status:      {type: string, enum: [new, paid, refunded], generate: {choice: {new: 2, paid: 7, refunded: 1}}}
      total:       {type: "decimal(10,2)", minimum: 0, generate: {lognormal: {median: 40, sigma: 0.8}}}
      note:        {type: string, nullable: true, generate: {faker: sentence, null: 0.8}}
    checks:
      - total < 1000000
"""
SEEDS: Final = """\
# Hand-written rows

One file per table, named after it: `<table>.csv`, `<table>.jsonl` or `<table>.yaml`.

In CSV an empty field is NULL and `""` is the empty text; in JSON Lines and YAML `null` is NULL.
Keys must differ from those of generated rows.
"""
SCENARIOS: Final = """\
# Scenarios

One file per scenario: rows of several tables that tell a story together. `$label` stands for the key of the row with
that label, `as_of` for the clock of the dataset; a key that is left out is made up and stays the same.

    scenario: first-order
    title: A new customer places an order
    owner: who-knows-about-it
    tests: [tests/test_orders.py::test_first_order]
    rows:
      customers: {ada: {email: ada@example.test, name: Ada, joined_at: as_of - 1h}}
      orders: {first: {customer_id: $ada, status: new, total: "42.00"}}
    expect: ["SELECT count(*) = 1 FROM orders WHERE customer_id = $ada"]
"""
FACTORIES: Final = '''\
"""Factories: code that makes rows where the generators of dataset.yaml are not enough.

A table names its factory in dataset.yaml, as in `factory: OrderFactory`. A row may depend on `at` and on nothing else:

    from tdv.factories import Factory

    class OrderFactory(Factory):
        def row(self, at):
            return {"id": at.index + 1, "customer_id": at.pick("customers"), "note": at.faker.sentence()}
"""
'''


def head(name: str, now: datetime, *, remark: str) -> str:
    """The lines of ``dataset.yaml`` above its tables; the clock is frozen at the beginning of the day of `now`."""
    return HEAD.format(name=name, as_of=f"{now.date().isoformat()}T00:00:00Z", remark=remark)
