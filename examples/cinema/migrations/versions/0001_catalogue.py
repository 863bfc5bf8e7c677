"""Users and the movies that they add"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("email", sa.String, nullable=False, unique=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("age", sa.SmallInteger),
        sa.Column("created_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("age BETWEEN 0 AND 150", name="age_is_human"),
    )
    op.create_table(
        "movies",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("genre", sa.String(20), nullable=False),
        sa.Column("released", sa.String(10), nullable=False),
        sa.Column("minutes", sa.SmallInteger, nullable=False),
        sa.Column("added_by", sa.BigInteger, sa.ForeignKey("users.id"), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("movies")
    op.drop_table("users")
