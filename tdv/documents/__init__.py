"""YAML files of the project: read safely, checked against their JSON Schema, with a place for every mistake.

In: files such as ``dataset.yaml`` and ``tdv.yaml``. Out: a `Document` of plain values, or one `DocumentError`
that holds every mistake with file, line and dotted key. Always holds: a document that passed `validate` conforms
to the schema that ships in ``tdv/schemas``; jsonschema is imported only to explain a document that does not.
"""

from __future__ import annotations

from tdv.documents.document import Document, Mistakes, Path, dotted, plain
from tdv.documents.read import load, parse
from tdv.documents.schema import conforms, schema, validate
from tdv.documents.words import did_you_mean, nearest, quoted

__all__ = [
    "Document",
    "Mistakes",
    "Path",
    "conforms",
    "did_you_mean",
    "dotted",
    "load",
    "nearest",
    "parse",
    "plain",
    "quoted",
    "schema",
    "validate",
]
