"""Whether the releases of a project can be tagged where it lies in its repository.

In: a `Git`. Out: an error, None where they can. Always holds: Git itself is asked, since the directory stands in the
name of each tag; nothing is written.
"""

from __future__ import annotations

from tdv.errors import GitError
from tdv.store.git import Git


def untaggable(git: Git) -> GitError | None:
    """What is wrong with the directory of the project, as one of a name with a space."""
    place = git.tag_name("")
    # Prints the name if it is one.
    if git.answer("check-ref-format", "--normalize", f"refs/tags/{place}x@v1.0.0", accept=(0, 1)):
        return None
    return GitError(
        f"No release can be tagged here: Git takes no tag of the name {place}…",
        hint=f"Rename the directory {place.removesuffix('=')!r} with `git mv`.",
    )


def warning(git: Git) -> str:
    """The same for whoever has no tag to make yet; "" where there is nothing to say."""
    problem = untaggable(git)
    return f"{problem.message}. {problem.hint}" if problem else ""
