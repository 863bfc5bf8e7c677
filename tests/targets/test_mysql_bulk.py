"""MariaDB: tables of many rows are counted once, when they are full, and stay declared as they were."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tdv.testing import table
from tests.targets.places import MysqlPlace

pytest.importorskip("pymysql")

from tdv.targets.mysql.bulk import LARGE, counted_afterwards, counts_anew, in_one_pass
from tdv.targets.mysql.session import connected, execute, parameters

MADE = "CREATE TABLE many (id INT PRIMARY KEY) ENGINE=InnoDB"
MANY = table("many", {"id": "int64"})
COUNTED = "SELECT n_rows FROM mysql.innodb_table_stats WHERE database_name = DATABASE() AND table_name = 'many'"


@pytest.fixture
def place(tmp_path: Path, empty_mysql: str) -> MysqlPlace:
    return MysqlPlace(tmp_path, empty_mysql)


def declared(place: MysqlPlace) -> str:
    return str(place.sql("SHOW CREATE TABLE many")[0][1])


def test_table_is_not_counted_before_it_is_full(place: MysqlPlace) -> None:
    place.sql(MADE)
    before = declared(place)
    with connected(parameters(place.url)) as connection:
        with in_one_pass(connection), counted_afterwards(connection, ["many"]):
            assert "STATS_AUTO_RECALC=0" in declared(place)
            execute(connection, "INSERT INTO many SELECT seq FROM seq_1_to_1000")
            assert place.sql(COUNTED) == [(0,)]
        assert execute(connection, "SELECT @@unique_checks") == [(1,)]
    assert place.sql(COUNTED) == [(1000,)]
    assert declared(place) == before


@pytest.mark.parametrize("owned", [False, True])
def test_large_table_is_counted_and_declared_as_a_small_one(place: MysqlPlace, owned: bool) -> None:
    if owned:
        place.owned()
    place.checkout_tables({MANY: pa.table({"id": range(LARGE)})})
    ((rows,),) = place.sql(COUNTED)
    assert rows > LARGE / 2
    assert "STATS" not in declared(place)
    place.sql("SELECT SLEEP(1 - MICROSECOND(NOW(6)) / 1000000)")
    assert place.target.proof() is not None


def test_tables_that_others_set_their_own_way_are_left_so(place: MysqlPlace) -> None:
    for made, ours in ((MADE, True), (f"{MADE} STATS_AUTO_RECALC=1", False), (MADE.replace("InnoDB", "MyISAM"), False)):
        place.sql("DROP TABLE IF EXISTS many", made)
        assert counts_anew(declared(place)) is ours
