"""Rows made from a seed: the generators of the spec, and the base class of factories.

In: a `DatasetSpec`. Out: Arrow tables. Always holds: every value is a function of the dataset's seed, its table,
its column and its row number. A dataset's ``factories.py`` imports `Factory` from here.
"""

from __future__ import annotations

from tdv.factories.factory import Block, Factory, Row

__all__ = ["Block", "Factory", "Row"]
