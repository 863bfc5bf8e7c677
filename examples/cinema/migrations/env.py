"""Migrates the database that DATABASE_URL names, in one transaction where the engine can."""

import os

from alembic import context
from sqlalchemy import create_engine, make_url

url = make_url(os.environ["DATABASE_URL"])
if url.drivername == "postgresql":
    url = url.set(drivername="postgresql+psycopg")

with create_engine(url).connect() as connection:
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
