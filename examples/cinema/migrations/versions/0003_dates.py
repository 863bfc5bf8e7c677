"""A date of birth instead of an age, and the day of the first showing as a date"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_constraint("age_is_human", type_="check")
        users.drop_column("age")
        users.add_column(sa.Column("born", sa.Date))
    op.add_column("movies", sa.Column("released_on", sa.Date))
    # SQLite keeps a date as text, and would make a number of it in a cast.
    day = "released" if op.get_bind().dialect.name == "sqlite" else "CAST(released AS DATE)"
    op.execute(f"UPDATE movies SET released_on = {day}")
    with op.batch_alter_table("movies") as movies:
        movies.drop_column("released")
    with op.batch_alter_table("movies") as movies:
        movies.alter_column("released_on", new_column_name="released", nullable=False)


def downgrade() -> None:
    raise NotImplementedError("an age cannot be told from a date of birth that is not there")
