"""The generators of the spec: one builder per word below ``generate:``.

In: a `Request`. Out: a `Maker`. Always holds: what a generator yields for a seed is frozen by known answers in
the tests; a better algorithm gets a new name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tdv.factories.generators import derived, nested, numbers, pattern, plain, references, text
from tdv.factories.generators.maker import Builder, Cells, KeySource, Maker, Parents, Request, Sparse
from tdv.model.spec import GeneratorSpec

BUILDERS: Final[Mapping[str, Builder]] = {
    "sequence": numbers.sequence,
    "uniform": numbers.uniform,
    "normal": numbers.gaussian,
    "lognormal": numbers.lognormal,
    "exponential": numbers.memoryless,
    "poisson": numbers.poisson,
    "constant": plain.constant,
    "choice": plain.choice,
    "datetime": plain.moments,
    "uuid": plain.uuid,
    "template": text.template,
    "faker": text.faker,
    "pattern": pattern.pattern,
    "pick": references.pick,
    "list": nested.lists,
    "struct": nested.structs,
    "derive": derived.derive,
}


def build(request: Request, spec: GeneratorSpec) -> Maker:
    """The maker of a column; raises `DocumentError` for options that cannot be used."""
    builder = BUILDERS.get(spec.kind)
    if builder is None:
        raise request.options.wrong(f"there is no generator {spec.kind!r}", hint=f"Use one of {', '.join(BUILDERS)}.")
    options = replace(request.options, key=f"{request.options.key}.{spec.kind}", raw=spec.options)
    maker = builder(replace(request, options=options))
    if not spec.null_share:
        return maker
    if request.column.name in request.table.key or not request.column.nullable:
        raise request.options.wrong("has a null share, but the column is not nullable", hint="Set nullable: true.")
    return Sparse(maker, request.stream.named("null"), spec.null_share)


__all__ = ["BUILDERS", "Cells", "KeySource", "Maker", "Parents", "Request", "build"]
