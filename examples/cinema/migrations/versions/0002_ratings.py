"""People rate movies"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "ratings",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("movie_id", sa.BigInteger, sa.ForeignKey("movies.id"), nullable=False),
        sa.Column("stars", sa.SmallInteger, nullable=False),
        sa.Column("rated_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name="stars_are_one_to_five"),
    )


def downgrade() -> None:
    op.drop_table("ratings")
