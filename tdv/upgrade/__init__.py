"""`tdv upgrade`: the sources of a dataset after migrations of the schema.

In: the sources, the rows that they build to, and a database in which these rows went through the migrations. Out: new
texts of spec, seeds and scenarios. Always holds: a build of the new sources has the digest of the migrated database,
or nothing is written; labels and comments stay; what no generator can make is named, and becomes a seed only on
request.
"""

from __future__ import annotations

from tdv.upgrade.capture import Capture, Sides, capture
from tdv.upgrade.landing import finish, land
from tdv.upgrade.proof import Attempt, Proved, prove
from tdv.upgrade.rewrite import Alone, RewriteOptions, Rewritten, SourceTexts
from tdv.upgrade.value import Upgraded

__all__ = [
    "Alone",
    "Attempt",
    "Capture",
    "Proved",
    "RewriteOptions",
    "Rewritten",
    "Sides",
    "SourceTexts",
    "Upgraded",
    "capture",
    "finish",
    "land",
    "prove",
]
