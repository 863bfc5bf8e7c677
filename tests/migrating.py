"""An application with real Alembic migrations, and a repository with a dataset for it.

The history is linear; each migration is given as the body of its ``upgrade()``. ``0001`` makes the tables of `SHOP`.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from tests.repository import Outcome, Repository

ENV = """
    import os
    from alembic import context
    from sqlalchemy import create_engine

    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    with create_engine(url).connect() as connection:
        context.configure(connection=connection, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
    """
SCRIPT = '''
"""{revision}"""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before!r}


def upgrade():
{body}
'''
FIRST = """
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String(80), nullable=False, unique=True),
        sa.Column("name", sa.String(40)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("balance", sa.Numeric(10, 2), nullable=False),
        sa.Column("joined_at", sa.DateTime, nullable=False),
        sa.Column("visits", sa.SmallInteger, nullable=False),
        sa.Column("city", sa.String(40)),
        sa.Column("inviter_id", sa.Integer, sa.ForeignKey("users.id")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("total", sa.Numeric(10, 2), nullable=False),
    )
    """
SPEC = """\
# The shop – what every test starts from
dataset: shop
description: Users and their orders
seed: 7
as_of: 2026-01-01T00:00:00Z
compat:
  migration: {from: "0001"}   # where the schema stands
tables:

  users:
    key: [id]
    columns:
      id:         {type: int32}
      email:      {type: string, maxLength: 80, unique: true, privacy: email}
      # as they like to be called
      name:       {type: string, nullable: true, maxLength: 40, privacy: name}
      active:     {type: bool}
      balance:    {type: "decimal(10,2)"}
      joined_at:  {type: timestamp}
      visits:     {type: int16, minimum: 0}
      city:       {type: string, nullable: true, maxLength: 40}
      inviter_id: {type: int32, nullable: true, references: users.id}   # who brought them
    checks:
      - balance < 1000   # nobody is rich
      - visits >= 0

  orders:
    key: [id]
    columns:
      id:      {type: int32}
      user_id: {type: int32, references: users.id}
      status:  {type: string, enum: [new, paid], maxLength: 20}
      total:   {type: "decimal(10,2)"}

invariants:
  - SELECT * FROM orders WHERE total < 0
"""
USERS = """\
id,email,name,active,balance,joined_at,visits,city,inviter_id
1,ada@example.test,Ada,true,10.5,2024-01-31T12:30:00,7,London,
2,bob@example.test,,false,0.00,2024-02-29T00:00:00,0,,1
3,cyd@example.test,"Cyd, the third",true,99.99,2025-12-31T23:59:59,12,Paris,2
"""
ORDERS = """\
id,user_id,status,total
10,1,new,42.00
11,3,paid,7.10
"""
SCENARIO = """\
scenario: first-order
title: A new customer orders   # told by sales
owner: qa
rows:
  users:
    # she has just come
    eve: {email: eve@example.test, name: Eve, active: true, balance: "5.00", joined_at: as_of - 1h, visits: 1,
          city: Rome}
  orders:
    first: {user_id: $eve, status: new, total: "42.00"}   # her first
    second: {user_id: $eve, status: paid, total: "1.00"}
expect:
  - SELECT count(*) = 2 FROM orders WHERE user_id = $eve
  - SELECT visits = 1 FROM users WHERE id = $eve
"""
DATASET = "datasets/shop"
SHOP = {
    f"{DATASET}/dataset.yaml": SPEC,
    f"{DATASET}/seeds/users.csv": USERS,
    f"{DATASET}/seeds/orders.csv": ORDERS,
    f"{DATASET}/scenarios/first-order.yaml": SCENARIO,
}
SETTINGS = """
    targets:
      local: {{url: "{url}", owns: database}}
    default: {{target: local}}
    migrations:
      tool: alembic
      path: migrations
      apply: ["{python}", -m, alembic, -c, migrations/alembic.ini, upgrade, "{{revision}}"]
      env: {{DATABASE_URL: "{{url}}"}}
    """


def migrations(*bodies: str) -> dict[str, str]:
    """The files of an application whose migrations have these bodies, numbered from 0001."""
    files = {"migrations/alembic.ini": "[alembic]\nscript_location = %(here)s\n", "migrations/env.py": ENV}
    for number, body in enumerate(bodies, 1):
        before = f"{number - 1:04}" if number > 1 else None
        text = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        script = SCRIPT.format(revision=f"{number:04}", before=before, body=text)
        files[f"migrations/versions/{number:04}_step.py"] = script.lstrip()
    return files


def migrating(
    root: Path, *bodies: str, files: Mapping[str, str] = SHOP, url: str = "sqlite:///.tdv/local.db"
) -> Repository:
    """A repository with the dataset ``shop`` at 0001, and an application whose migrations go on with `bodies`."""
    repository = Repository.create(root, {"README.md": "A shop\n", ".gitignore": "__pycache__/\n"}).prepared()
    for name, text in files.items():
        repository.write({name: text.encode()})
    settings = SETTINGS.format(url=url, python=sys.executable)
    return repository.write({**migrations(FIRST, *bodies), "tdv.yaml": settings}).commit("Add the application")


def upgraded(repository: Repository, *options: str) -> Outcome:
    """Upgrades ``shop``, which must succeed, and builds it cold."""
    outcome = repository.tdv("upgrade", "shop", "--json", *options, expect=0)
    assert repository.tdv("validate", "shop").exit_code == 0
    return outcome
