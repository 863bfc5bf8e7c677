"""Tags as GTO names them, with the trailers that tdv puts into their messages.

In: the output of ``git for-each-ref`` and ``git ls-remote``. Out: `Tag` values. Always holds: a tag whose name
GTO would not read is left out; what the trailers say is as untrusted as any text in the repository.

The grammar is GTO's (``gto.constants.tag_re``): ``movies@v1.1.0`` registers a version, ``movies@v1.1.0!``
withdraws it, ``movies#staging#3`` assigns a version to a stage, ``movies#staging!#4`` takes it away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from tdv.errors import IntegrityError
from tdv.model.reference import DATASET

Kind = Literal["version", "yank", "stage", "unstage"]

_STAGE: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-/_]*[a-zA-Z0-9])?")
_NAME: Final = re.compile(
    rf"(?P<dataset>{DATASET.pattern})"
    rf"(?:@v(?P<version>[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?)|#(?P<stage>{_STAGE.pattern}))"
    r"(?P<cancel>!?)(?:#(?P<counter>[0-9]+))?"
)
# The body without a signature, read here: git's own trailer fields find nothing in a signed tag, and before 2.42
# each of several of them gives the keys of the last one.
_FIELDS: Final = (
    "refname:lstrip=2",
    "objecttype",
    "objectname",
    "*objectname",
    "taggername",
    "taggerdate:iso-strict",
    "contents:body",
)
FORMAT: Final = "".join(f"%({field})%00" for field in _FIELDS)


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag. `commit` is what it points at, `object` the tag itself (equal for a lightweight tag).

    `version` is without ``v`` and "" for stages; `stage` is "" for versions; `digest`, `app`, `migration` and, of a
    stage, `promotes` (a version) are the trailers' values, "" where there is none; `tagger` and `date` (RFC 3339) are
    "" for a lightweight tag.
    """

    name: str
    dataset: str
    kind: Kind
    version: str
    stage: str
    counter: int
    commit: str
    object: str
    annotated: bool
    digest: str = ""
    app: str = ""
    migration: str = ""
    promotes: str = ""
    tagger: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class RemoteTag:
    """A tag as a remote lists it: `commit` is peeled, `object` is the tag object (equal when lightweight)."""

    name: str
    commit: str
    object: str


def version_tag(dataset: str, version: str, *, yank: bool = False) -> str:
    """``movies@v1.1.0``, or ``movies@v1.1.0!`` for a yank."""
    return f"{dataset}@v{version}{'!' if yank else ''}"


def stage_tag(dataset: str, stage: str, counter: int) -> str:
    """``movies#staging#3``"""
    return f"{dataset}#{stage}#{counter}"


def is_stage(name: str) -> bool:
    """True for a word that GTO takes for a stage."""
    return _STAGE.fullmatch(name) is not None


def counter_of(name: str) -> int:
    """The number that a tag ends in, 0 without one; GTO counts all stages of a dataset together."""
    match = _NAME.fullmatch(name)
    return int(match["counter"] or 0) if match else 0


def patterns(dataset: str | None, place: str = "") -> tuple[str, ...]:
    """The ref patterns that hold every GTO tag of `dataset`, or of all datasets, of the project at `place`."""
    name = place + (dataset or "*")
    return (f"refs/tags/{name}@*", f"refs/tags/{name}#*")


def is_data(name: str) -> bool:
    """True for the tag of a data release or of a stage, as GTO names them, of whatever project."""
    return _NAME.fullmatch(name.rpartition("=")[2]) is not None


def parse_refs(output: bytes, place: str = "") -> tuple[Tag, ...]:
    """Reads what ``git for-each-ref --format=FORMAT`` printed; names are those within the project at `place`."""
    width = len(_FIELDS)
    fields = output.decode("utf-8", "replace").split("\0")[:-1]
    if len(fields) % width:
        raise IntegrityError("A tag message holds a NUL byte", hint="`git tag -l --format='%(contents)'` shows it.")
    read = ([field.strip() for field in fields[at : at + width]] for at in range(0, len(fields), width))
    found = (_tag([fields[0].removeprefix(place), *fields[1:]]) for fields in read if fields[0].startswith(place))
    return tuple(tag for tag in found if tag is not None)


def _tag(fields: list[str]) -> Tag | None:
    name, kind, oid, peeled, tagger, date, body = fields
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    # Of a lightweight tag, git shows the commit's message.
    trailers = _trailers(body) if kind == "tag" else {}
    return Tag(
        name=name,
        dataset=match["dataset"],
        kind=_kind(match),
        version=match["version"] or "",
        stage=match["stage"] or "",
        counter=int(match["counter"] or 0),
        commit=peeled or oid,
        object=oid,
        annotated=kind == "tag",
        digest=trailers.get("tdv-digest", ""),
        app=trailers.get("tdv-app", ""),
        migration=trailers.get("tdv-migration", ""),
        promotes=trailers.get("tdv-version", ""),
        tagger=tagger,
        date=date,
    )


def _trailers(body: str) -> dict[str, str]:
    """The ``Key: value`` lines of the last paragraph; of a key that stands twice the last one counts."""
    paragraph = re.split(r"\n\s*\n", body)[-1]
    return {
        key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in paragraph.split("\n"))
    }


def _kind(match: re.Match[str]) -> Kind:
    if match["version"]:
        return "yank" if match["cancel"] else "version"
    return "unstage" if match["cancel"] else "stage"


def parse_listing(output: bytes, place: str = "") -> dict[str, RemoteTag]:
    """Reads what ``git ls-remote --tags`` printed: tag name, within the project at `place`, → where it is."""
    found: dict[str, RemoteTag] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        oid, _, ref = line.partition("\t")
        name = ref.removeprefix(f"refs/tags/{place}")
        if name.endswith("^{}"):
            name = name[:-3]
            found[name] = RemoteTag(name, oid, found[name].object if name in found else oid)
        elif name != ref:
            found[name] = RemoteTag(name, oid, oid)
    return found
