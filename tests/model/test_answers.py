from tdv import documents
from tdv.model.diff import DEFAULT_LEVELS, LEVELS, DatasetChange, Finding, Level, TableChange
from tdv.model.receipt import Receipt, ReceiptRelease
from tdv.model.report import Check, Promise, Report, Verification


def finding(level: Level) -> Finding:
    return Finding("cell-changed", level, "users", "name", "1 value changed")


def test_bump_is_the_highest_level() -> None:
    assert DatasetChange((), {}).bump == "none"
    assert DatasetChange((finding("patch"), finding("major"), finding("minor")), {}).bump == "major"
    assert set(DEFAULT_LEVELS.values()) <= set(LEVELS)


def test_json_of_the_answers_fits_the_schemas() -> None:
    receipt = Receipt(
        (ReceiptRelease("movies", "1.0.0", "tdv1:0", {"users": 3}),), "sqlite:///a.db", "loaded", "x", 0.12345
    )
    assert receipt.to_plain()["seconds"] == 0.123
    assert "plan" not in receipt.to_plain()
    report = Report(
        "movies", (Check("users", "key(id)", True), Check("users", "minimum(age)", False, 1, ({"age": -1},)))
    )
    verification = Verification((Promise("movies", "1.0.0", "tag", True),))
    change = DatasetChange((finding("patch"),), {"users": TableChange(1, 2, 3, {"name": 4})})
    for plain, name in [
        (receipt.to_plain(), "receipt"),
        (report.to_plain(), "report"),
        (verification.to_plain(), "verification"),
        (change.to_plain("movies@v1.0.0", "movies@v1.0.1"), "diff"),
    ]:
        documents.validate(documents.plain(plain, name), name)


def test_plan_of_a_dry_run_is_part_of_the_receipt() -> None:
    receipt = Receipt((), "sqlite:///a.db", "planned", "x", 0.0, ("replace users",))
    assert receipt.to_plain()["plan"] == ["replace users"]


def test_one_failed_check_or_promise_is_enough() -> None:
    assert Report("movies", ()).ok
    assert not Report("movies", (Check("", "x", True), Check("", "y", False))).ok
    assert not Verification((Promise("m", "1.0.0", "tag", False, "moved"),)).ok
