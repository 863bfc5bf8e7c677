"""``tdv.yaml`` and the ``TDV_*`` variables as one frozen value.

In: the repository's root and an environment. Out: `Settings`. Always holds: every name in it that refers to
another exists, relative paths count from the root, and no credential is in its ``repr``. This package is the only
one that looks at the process environment.
"""

from __future__ import annotations

from tdv.config.address import absolute, without_credentials
from tdv.config.read import FILE, cache_home, colour_wanted, find_root, load, process_environment
from tdv.config.repositories import Repository
from tdv.config.settings import (
    DEFAULT_TARGET,
    NO_LIMITS,
    AppSource,
    Environment,
    Limits,
    Migrations,
    Policy,
    Settings,
    TargetEntry,
    TargetSettings,
)

__all__ = [
    "DEFAULT_TARGET",
    "FILE",
    "NO_LIMITS",
    "AppSource",
    "Environment",
    "Limits",
    "Migrations",
    "Policy",
    "Repository",
    "Settings",
    "TargetEntry",
    "TargetSettings",
    "absolute",
    "cache_home",
    "colour_wanted",
    "find_root",
    "load",
    "process_environment",
    "without_credentials",
]
