import pytest

from tdv.model.reference import Ref


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("v1.1.0", Ref(None, "range", "v1.1.0")),
        ("1.1.0", Ref(None, "range", "1.1.0")),
        ("^1.1", Ref(None, "range", "^1.1")),
        (">=1.2,<3", Ref(None, "range", ">=1.2,<3")),
        ("latest", Ref(None, "range", "latest")),
        ("workspace", Ref(None, "workspace")),
        ("movies", Ref("movies", "range", "latest")),
        (" movies@v1.1.0 ", Ref("movies", "range", "v1.1.0")),
        ("movies@^1.1", Ref("movies", "range", "^1.1")),
        ("movies@latest", Ref("movies", "range", "latest")),
        ("movies@workspace", Ref("movies", "workspace")),
        ("movies@git:main~1", Ref("movies", "git", "main~1")),
        ("@git:main", Ref(None, "git", "main")),
        ("movies#staging", Ref("movies", "stage", "staging")),
        ("catalog:movies@^1.1", Ref("movies", "range", "^1.1", "catalog")),
        ("checkout-flow", Ref("checkout-flow", "range", "latest")),
        ("v2-users", Ref("v2-users", "range", "latest")),
    ],
)
def test_references_are_read(text: str, ref: Ref) -> None:
    assert Ref.parse(text) == ref
    if ref.dataset:
        assert Ref.parse(str(ref)) == ref


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no dataset name"),
        ("Movies", "is no dataset name"),
        ("m", "is no dataset name"),
        ("../x", "is no dataset name"),
        ("movies@", "names no version"),
        ("movies#", "names no stage"),
        ("a b@1.0.0", "is no dataset name"),
    ],
)
def test_what_is_no_reference_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Ref.parse(text)


def test_url_is_no_reference_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="a URL is no reference") as caught:
        Ref.parse("postgresql://ada:hidden@host/app")
    assert "hidden" not in str(caught.value)
