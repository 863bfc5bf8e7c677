"""DVC's pipeline files: ``dvc.yaml`` edited with its comments kept, ``dvc.lock`` written as DVC writes it.

In: `StageSpec` and `StageLock` values. Out: the two files at the root of the repository. Always holds: stages
that were not named keep their text; in a lock, dependencies and outputs are sorted by path and their keys stand
in DVC's order (``dvc.stage.serialize``); a file that says the right thing already is not written; writing
happens under DVC's own lock, so that ``dvc`` and ``tdv`` never write at once.

Reading takes every scalar as text, which no YAML version can misread and costs a few milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from tdv import durable
from tdv.errors import ConfigError, DocumentError, Problem
from tdv.store import dvc_files
from tdv.store.repository_lock import repository_lock

DVC_YAML: Final = "dvc.yaml"
DVC_LOCK: Final = "dvc.lock"

_AS_WRITTEN: Final = b"schema: '2.0'\nstages:\n"
_QUOTING: Final = b'"|>#&*!{[\t'
_ITEM: Final = rb"    - path: [^\n]+\n(?:      [a-z0-9]+: [^\n]+\n)+"
_STAGE: Final = (
    rb"  %s:\n    cmd: [^\n]+\n(?:    deps:\n(?:" + _ITEM + rb")+)?    outs:\n(?:" + _ITEM + rb")*?"
    rb"    - path: datasets/%s/data\n      hash: md5\n      md5: ([0-9a-f]{32}\.dir)\n"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One dependency or output in ``dvc.lock``; a directory has an md5 with ``.dir`` and counts its files."""

    path: str
    md5: str
    size: int
    nfiles: int | None = None
    executable: bool = False

    def to_plain(self) -> dict[str, Any]:
        """Keys in DVC's order."""
        plain: dict[str, Any] = {"path": self.path, "hash": "md5", "md5": self.md5, "size": self.size}
        if self.nfiles is not None:
            plain["nfiles"] = self.nfiles
        if self.executable:
            plain["isexec"] = True
        return plain

    @classmethod
    def from_text(cls, item: Mapping[str, Any]) -> Entry:
        """From a mapping whose scalars are text; what DVC left out (external data) is "" or 0."""
        return cls(
            path=item["path"],
            md5=item.get("md5", ""),
            size=int(item.get("size", 0)),
            nfiles=int(item["nfiles"]) if "nfiles" in item else None,
            executable=item.get("isexec") == "true",
        )


@dataclass(frozen=True, slots=True)
class StageLock:
    """One stage of ``dvc.lock``: what its command read and made when it last ran."""

    name: str
    cmd: str
    deps: tuple[Entry, ...]
    outs: tuple[Entry, ...]

    def out(self, path: str) -> Entry | None:
        """The output at `path`, or None."""
        return next((entry for entry in self.outs if entry.path == path), None)


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One stage of ``dvc.yaml`` with the artifact of the same name.

    `deps` are paths that exist; `out` is the output in DVC's cache, `plain_outs` those that Git keeps.
    """

    name: str
    cmd: str
    deps: tuple[str, ...]
    out: str
    plain_outs: tuple[str, ...] = ()
    description: str = ""
    labels: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    type: str = "dataset"


# -- dvc.lock


@lru_cache(maxsize=8)
def parse_lock(data: bytes, file: str = DVC_LOCK) -> Mapping[str, StageLock]:
    """Stage name → what ``dvc.lock`` says of it; `file` names it in errors. Raises `DocumentError`."""
    content = dvc_files.load(data, file)
    if content.get("schema", "2.0") != "2.0":
        hint = "Run `dvc repro` once with a DVC that knows it, or remove the file and build again."
        raise DocumentError([Problem(file, 1, "schema", f"{content['schema']!r} is not '2.0'")], hint=hint)
    try:
        return {name: _stage_lock(name, stage) for name, stage in (content.get("stages") or {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise DocumentError(
            [Problem(file, 1, "stages", f"this is no lock of DVC: {exc}")], hint=dvc_files.MEND
        ) from exc


def _stage_lock(name: str, stage: Mapping[str, Any]) -> StageLock:
    cmd = stage["cmd"]
    return StageLock(
        name=name,
        cmd=cmd if isinstance(cmd, str) else "\n".join(cmd),
        deps=tuple(Entry.from_text(item) for item in stage.get("deps", ())),
        outs=tuple(Entry.from_text(item) for item in stage.get("outs", ())),
    )


def locked_md5(data: bytes, dataset: str) -> str | None:
    """The md5 of a dataset in a ``dvc.lock``, None where it names none or is none.

    Of a file as DVC writes it, without a quoted or folded text, only the lines of the stage are read: one for each tag
    is much, where each of them holds hundreds of stages.
    """
    name = dataset.encode()
    start = data.find(b"\n  %s:\n" % name) + 1
    if start and data.startswith(_AS_WRITTEN) and _is_plain(data):
        found = re.compile(_STAGE % ((re.escape(name),) * 2)).match(data, start)
        if found is not None:
            return found[1].decode()
    try:
        stage = parse_lock(data).get(dataset)
    except DocumentError:
        return None
    entry = stage.out(f"datasets/{dataset}/data") if stage else None
    return entry.md5 if entry else None


def _is_plain(data: bytes) -> bool:
    """True if no text in it is quoted, folded, flowing or a comment, but for the number of the schema."""
    return data.count(b"'") == 2 and not any(bytes((letter,)) in data for letter in _QUOTING)


def read_lock(root: Path) -> Mapping[str, StageLock]:
    """All stages of the work tree's ``dvc.lock``; {} without the file. Raises `DocumentError`."""
    data = dvc_files.read(root / DVC_LOCK)
    return parse_lock(data) if data is not None else {}


def read_stage(root: Path, name: str) -> StageLock | None:
    """The stage as ``dvc.lock`` of the work tree holds it, or None when it never ran."""
    return read_lock(root).get(name)


def write_stage(root: Path, stage: StageLock, *, wait: float = durable.LOCK_WAIT) -> bool:
    """Writes one stage into ``dvc.lock``; returns False when the file says so already.

    Parameters that DVC recorded for the stage stay. Raises `Refused` while DVC holds its lock for longer
    than `wait` seconds.
    """
    ordered = _ordered(stage)
    with repository_lock(root, wait=wait):
        if read_stage(root, stage.name) == ordered:
            return False
        content = dvc_files.load_for_update(root / DVC_LOCK)
        if not content:
            content["schema"] = "2.0"
        stages = content.setdefault("stages", {})
        stages[stage.name] = _lock_plain(ordered, stages.get(stage.name) or {})
        dvc_files.dump(root / DVC_LOCK, content)
        return True


def _ordered(stage: StageLock) -> StageLock:
    deps = tuple(sorted(stage.deps, key=lambda entry: entry.path))
    outs = tuple(sorted(stage.outs, key=lambda entry: entry.path))
    return StageLock(stage.name, stage.cmd, deps, outs)


def _lock_plain(stage: StageLock, before: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {"cmd": stage.cmd}
    if stage.deps:
        plain["deps"] = [entry.to_plain() for entry in stage.deps]
    if "params" in before:
        plain["params"] = before["params"]
    if stage.outs:
        plain["outs"] = [entry.to_plain() for entry in stage.outs]
    return plain


# -- dvc.yaml


def stage_names(root: Path) -> tuple[str, ...]:
    """The names of the stages in ``dvc.yaml``."""
    return tuple(_definitions(root).get("stages") or ())


def stage_command(root: Path, name: str) -> str | None:
    """The command of a stage in ``dvc.yaml``, or None without that stage."""
    stage = (_definitions(root).get("stages") or {}).get(name)
    return None if stage is None else _plain(str(stage.get("cmd", "")))


def stage_deps(root: Path, name: str) -> tuple[str, ...]:
    """The dependencies of a stage in ``dvc.yaml``, as written there; () without that stage."""
    stage = (_definitions(root).get("stages") or {}).get(name) or {}
    return tuple(_plain(path) for path in stage.get("deps") or ())


def artifact_paths(data: bytes, file: str = DVC_YAML) -> dict[str, str]:
    """Artifact name → its path, from the bytes of a ``dvc.yaml``, as at any commit; raises `DocumentError`."""
    listed = dvc_files.load(data, file).get("artifacts")
    items = listed.items() if isinstance(listed, dict) else ()
    return {name: _plain(str(item.get("path", ""))) for name, item in items if isinstance(item, dict)}


def ensure_stage(root: Path, spec: StageSpec, *, wait: float = durable.LOCK_WAIT) -> bool:
    """Makes ``dvc.yaml`` hold the stage and the artifact of `spec`; returns False when it does already.

    Keys that tdv does not know (``params``, ``frozen``, further outputs …) and all comments stay.
    The output in DVC's cache is added to the ``.gitignore`` beside it, as DVC does.
    """
    _refuse_clash(root, spec)
    ignored = _ensure_ignored(root, spec.out)
    wanted_stage, wanted_artifact = _stage_plain(spec), _artifact_plain(spec)
    there = _definitions(root)
    stage = (there.get("stages") or {}).get(spec.name) or {}
    artifact = (there.get("artifacts") or {}).get(spec.name) or {}
    if _has(stage, wanted_stage) and _has(artifact, wanted_artifact):
        return ignored
    with repository_lock(root, wait=wait):
        content = dvc_files.load_for_update(root / DVC_YAML)
        for section, wanted in (("stages", wanted_stage), ("artifacts", wanted_artifact)):
            if content.get(section) is None:
                content[section] = {}
            if content[section].get(spec.name) is None:
                content[section][spec.name] = {}
            _update(content[section][spec.name], wanted)
        dvc_files.dump(root / DVC_YAML, content)
    return True


def _stage_plain(spec: StageSpec) -> dict[str, Any]:
    outs: list[Any] = [_template(spec.out), *({_template(path): {"cache": False}} for path in sorted(spec.plain_outs))]
    return {"cmd": _template(spec.cmd), "deps": [_template(path) for path in sorted(spec.deps)], "outs": outs}


def _artifact_plain(spec: StageSpec) -> dict[str, Any]:
    plain: dict[str, Any] = {"path": _template(spec.out), "type": spec.type}
    if spec.description:
        plain["desc"] = _template(spec.description)
    if spec.labels:
        plain["labels"] = list(spec.labels)
    if spec.meta:
        plain["meta"] = dict(spec.meta)
    return plain


def _refuse_clash(root: Path, spec: StageSpec) -> None:
    for name, stage in (_definitions(root).get("stages") or {}).items():
        if name == spec.name or not isinstance(stage, dict):
            continue
        if spec.out in {_out_path(out) for out in stage.get("outs") or ()}:
            raise ConfigError(
                f"The stage {name} of {DVC_YAML} makes {spec.out} already",
                hint=f"Remove that stage, or rename the dataset {spec.name}.",
            )


def _out_path(out: Any) -> str:
    return _plain(out if isinstance(out, str) else next(iter(out), ""))


def _has(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """True if `there`, whose scalars are text, says all that is `wanted`."""
    for key, value in wanted.items():
        found = there.get(key)
        if key == "outs":
            if not {repr(_as_text(out)) for out in value} <= {repr(out) for out in found or ()}:
                return False
        elif key == "deps":
            if sorted(found or ()) != sorted(_as_text(value)):
                return False
        elif found != _as_text(value):
            return False
    return True


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(item) for item in value]
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    return str(value)


def _update(node: Any, wanted: Mapping[str, Any]) -> None:
    """Sets what differs in a node of ruamel.yaml, so that comments elsewhere in it stay."""
    for key, value in wanted.items():
        if key == "outs" and node.get("outs"):
            known = {_out_path(out): index for index, out in enumerate(node["outs"])}
            for out in value:
                index = known.get(_out_path(out))
                if index is None:
                    node["outs"].append(out)
                elif node["outs"][index] != out:
                    node["outs"][index] = out
        elif key == "deps" and node.get("deps"):
            _update_list(node["deps"], value)
        elif node.get(key) != value:
            node[key] = value


def _update_list(node: Any, wanted: Sequence[str]) -> None:
    for index in reversed([index for index, item in enumerate(node) if item not in wanted]):
        del node[index]
    for index, item in enumerate(wanted):
        if item not in node:
            node.insert(min(index, len(node)), item)


def _template(text: str) -> str:
    """`text` in ``dvc.yaml``, where ``${`` would begin an interpolation."""
    return text.replace("${", "\\${")


def _plain(text: str) -> str:
    return text.replace("\\${", "${")


def _ensure_ignored(root: Path, out: str) -> bool:
    path = PurePosixPath(out)
    file = root / path.parent / ".gitignore"
    line = f"/{path.name}"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if line in (known.strip().rstrip("/") for known in text.splitlines()):
        return False
    durable.write_text(file, f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n")
    return True


def _definitions(root: Path) -> Mapping[str, Any]:
    data = dvc_files.read(root / DVC_YAML)
    return dvc_files.load(data, DVC_YAML) if data is not None else {}
