"""A list of what to see next, and a view for the front page"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "watchlist",
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("movie_id", sa.BigInteger, sa.ForeignKey("movies.id"), primary_key=True),
        sa.Column("order", sa.Integer, nullable=False, server_default="0"),
    )
    with op.batch_alter_table("movies") as movies:
        movies.add_column(sa.Column("poster", sa.String))
        movies.create_index("movies_by_genre", ["genre", "released"])
    op.execute(
        "CREATE VIEW best AS SELECT movie_id, avg(stars) AS stars, count(*) AS votes FROM ratings GROUP BY movie_id"
    )


def downgrade() -> None:
    op.execute("DROP VIEW best")
    with op.batch_alter_table("movies") as movies:
        movies.drop_index("movies_by_genre")
        movies.drop_column("poster")
    op.drop_table("watchlist")
