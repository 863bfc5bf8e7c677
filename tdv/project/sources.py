"""What a build reads: the spec, what it extends, factories, seeds, scenarios, further sources, other releases.

In: a spec. Out: `Sources`. Always holds: every path exists and stands in ``dvc.yaml`` as a dependency, so that
neither DVC nor tdv ever takes a build for up to date that is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tdv.errors import ConfigError, Incompatible
from tdv.model.ranges import Range
from tdv.store.records import record_path

if TYPE_CHECKING:
    from tdv.model.release import Release
    from tdv.model.spec import DatasetSpec
    from tdv.project.ports import Ports

SPEC: Final = "dataset.yaml"
FACTORIES: Final = "factories.py"
SEEDS: Final = "seeds"
SCENARIOS: Final = "scenarios"
_NO_SOURCE: Final = ("README.md", ".gitkeep", ".gitignore")


@dataclass(frozen=True, slots=True)
class Sources:
    """Paths from the root. `code`, `seeds` and `scenarios` are the dataset directories that these come from:
    the dataset's own, or, where it has none, those of the dataset that it extends. `others` are the releases
    that references into other datasets point at."""

    code: str
    seeds: str
    scenarios: str
    deps: tuple[str, ...]
    others: Mapping[str, Release]


def find(ports: Ports, spec: DatasetSpec) -> Sources:
    """Lists what a build of `spec` reads; raises `ConfigError` for a source that is missing."""
    chain = tuple(f"datasets/{name}" for name in _chain(ports, spec))
    others = {name: required(ports, spec.name, name, wanted) for name, wanted in sorted(spec.requires.items())}
    code = _first(ports.root, chain, FACTORIES)
    seeds = _first(ports.root, chain, SEEDS)
    scenarios = _first(ports.root, chain, SCENARIOS)
    wanted = [f"{directory}/{SPEC}" for directory in chain]
    wanted += [f"{code}/{FACTORIES}", f"{seeds}/{SEEDS}", f"{scenarios}/{SCENARIOS}"]
    deps = [path for path in wanted if (ports.root / path).exists()]
    deps += [_existing(ports.root, path, spec) for path in spec.sources]
    deps += [record_path(name, release.version) for name, release in others.items()]
    return Sources(code, seeds, scenarios, tuple(sorted(set(deps))), others)


def required(ports: Ports, dataset: str, name: str, wanted: str) -> Release:
    """The newest release of `name` in the range `wanted` that `dataset` requires."""
    if name not in ports.book.datasets():
        raise ports.unknown(name)
    allowed = Range.parse(wanted)
    fitting = [r for r in ports.book.releases(name) if not r.yanked and allowed.allows(r.version)]
    if not fitting:
        known = ", ".join(f"v{version}" for version in ports.book.versions(name)) or "none"
        raise Incompatible(
            f"{dataset} requires {name} {wanted}, and no release of {name} is in that range",
            hint=f"Releases of {name}: {known}. Release one with `tdv release {name}`, or widen the range.",
        )
    return fitting[-1]


def files(root: Path, deps: tuple[str, ...]) -> Iterator[str]:
    """Every file of `deps`, directories walked, without readme files and editors' leavings."""
    for dep in deps:
        path = root / dep
        if path.is_dir():
            found = (item for item in sorted(path.rglob("*")) if item.is_file() and _is_source(item))
            yield from (item.relative_to(root).as_posix() for item in found)
        else:
            yield dep


def _is_source(path: Path) -> bool:
    hidden = path.name.startswith(".") or path.name.endswith((".pyc", "~"))
    return not hidden and path.name not in _NO_SOURCE and "__pycache__" not in path.parts


def _chain(ports: Ports, spec: DatasetSpec) -> tuple[str, ...]:
    names = [spec.name]
    base = spec.extends
    while base is not None:
        names.append(base)
        base = ports.spec(base).extends
    return tuple(names)


def _first(root: Path, chain: tuple[str, ...], name: str) -> str:
    for directory in chain:
        path = root / directory / name
        if path.is_file() or (path.is_dir() and any(_is_source(item) for item in path.iterdir())):
            return directory
    return chain[0]


def _existing(root: Path, path: str, spec: DatasetSpec) -> str:
    if not (root / path).exists():
        raise ConfigError(
            f"{spec.path}: sources: {path} does not exist", hint="Create it, or remove that line from `sources:`."
        )
    return path
