"""What the cinema shows on its front page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, create_engine, text


@dataclass(frozen=True)
class Shown:
    """A movie on the front page."""

    title: str
    released: date
    votes: int


def front_page(engine: Engine, votes: int = 3, length: int = 5) -> list[Shown]:
    """The movies that people like best, of those with enough votes."""
    query = text(
        "SELECT title, released, votes FROM best JOIN movies ON movies.id = movie_id "
        "WHERE votes >= :votes ORDER BY stars DESC, votes DESC, title LIMIT :length"
    )
    with engine.connect() as connection:
        found = connection.execute(query, {"votes": votes, "length": length})
        return [Shown(title, date.fromisoformat(str(released)), count) for title, released, count in found]


def watch_next(engine: Engine, user: int, movie: int) -> int:
    """Puts a movie on somebody's list; returns how many are on it."""
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO watchlist (user_id, movie_id) VALUES (:user, :movie)"), {"user": user, "movie": movie}
        )
        return connection.execute(
            text("SELECT count(*) FROM watchlist WHERE user_id = :user"), {"user": user}
        ).scalar_one()


if __name__ == "__main__":
    for movie in front_page(create_engine(os.environ["DATABASE_URL"])):
        print(f"{movie.released}  {movie.title}")
