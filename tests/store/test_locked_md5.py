"""The md5 of one dataset in a dvc.lock, from its lines alone where they are as DVC writes them."""

from __future__ import annotations

import pytest

from tdv.store.pipeline import locked_md5

MD5 = "89738a0e35a4b3a5d6d7bd2cc3a0bd91.dir"
OTHER = "00000a0e35a4b3a5d6d7bd2cc3a0bd91.dir"
LOCK = f"""schema: '2.0'
stages:
  movies:
    cmd: tdv build movies
    deps:
    - path: datasets/movies/dataset.yaml
      hash: md5
      md5: 110e0c1149f47b16fdc154c5c12d1c5e
      size: 799
    outs:
    - path: datasets/movies/data
      hash: md5
      md5: {MD5}
      size: 18306
      nfiles: 4
  shop:
    cmd: tdv build shop
    outs:
    - path: datasets/shop/another
      hash: md5
      md5: 110e0c1149f47b16fdc154c5c12d1c5e
      size: 1
    - path: datasets/shop/data
      hash: md5
      md5: {OTHER}
      size: 18306
      nfiles: 4
"""


@pytest.mark.parametrize(
    "text",
    [
        LOCK,
        LOCK.replace("schema: '2.0'", 'schema: "2.0"'),
        LOCK.replace("    cmd: tdv build movies", '    cmd: "tdv build movies"'),
        LOCK.replace("    cmd: tdv build movies", "    cmd: |\n      tdv build movies"),
        LOCK.replace("    deps:", "    deps: # what it is built from"),
    ],
)
def test_md5_of_a_stage(text: str) -> None:
    found = [locked_md5(text.encode(), dataset) for dataset in ("movies", "shop", "absent", "mov.es")]
    assert found == [MD5, OTHER, None, None]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list\n",
        "schema: '2.0'\nstages: {}\n",
        "schema: '2.0'\nstages:\n  movies: 1\n",
        LOCK.replace("    outs:\n    - path: datasets/movies", "    deps2:\n    - path: datasets/movies"),
        LOCK.replace("    outs:", "    deps:", 1),
        # The lines stand in a text, which is no stage.
        "schema: '2.0'\nstages:\n  shop:\n    cmd: '\n"
        + LOCK.partition("stages:\n")[2].partition("  shop:")[0]
        + "    '\n",
        "<<<<<<< ours\n" + LOCK,
    ],
)
def test_lock_that_does_not_name_it(text: str) -> None:
    assert locked_md5(text.encode(), "movies") is None
