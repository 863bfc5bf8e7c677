"""Lines for mistakes that were found after the spec was read.

In: an error of the generators, which know a key but no line. Out: the same error with lines. Always holds: nothing
but line and column changes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tdv.documents import Mistakes
from tdv.errors import DocumentError, Problem
from tdv.spec.layers import Layers, read


def placed(error: DocumentError, path: Path, root: Path) -> DocumentError:
    """`error` with the line of each mistake whose key stands in the spec at `path`, or in one that it extends."""
    layers = read(path, root, Mistakes())
    file = layers.documents[0].file
    problems = [_placed(problem, layers) if problem.file == file else problem for problem in error.problems]
    return DocumentError(problems, hint=error.hint)


def _placed(problem: Problem, layers: Layers) -> Problem:
    paths = [(document, document.path_of(problem.key)) for document in layers.documents]
    document, path = max(paths, key=lambda item: len(item[1]))
    line, column = document.place(path)
    return replace(problem, file=document.file, line=line, column=column)
