"""The one place where errors become text and exit codes.

In: a call that may raise. Out: an exit code, the error printed. Always holds: a `TdvError` prints one sentence
and one hint, anything else looks like the bug it is.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from typer import Abort, Exit
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from tdv.cli import terminal
from tdv.errors import Bug, DocumentError, TargetError, TdvError, UsageError
from tdv.faces.passwords import without_passwords

INTERRUPTED: Final = 130
_GO_ON: Final = "Run the same command again: it finishes or undoes what was begun."


def expect_interrupts() -> None:
    """From now on Ctrl-C is `KeyboardInterrupt`, and another one, while what was begun is being undone, the end.

    To undo may take as long as a server takes to answer; left undone, it is what a killed process leaves.
    """

    def end(number: int, frame: FrameType | None) -> None:
        try:
            terminal.say(f"Interrupted again: ended before all was undone. {_GO_ON}")
        finally:
            os._exit(INTERRUPTED)

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, end)
        raise KeyboardInterrupt

    # What runs in the background of a shell is not meant by Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)


def guard(call: Callable[[], Any], *, as_json: bool) -> int:
    """Runs `call`; its int result, or the exit code of what it raised, is returned."""
    try:
        result = call()
    except Exit as stop:
        return stop.exit_code
    except (Abort, KeyboardInterrupt):
        terminal.say(f"Interrupted. {_GO_ON}")
        return INTERRUPTED
    except BrokenPipeError:
        terminal.drop(sys.stdout)
        return 0
    except Exception as problem:  # noqa: BLE001 - the last line before the shell
        error = _as_error(problem)
        try:
            report(error, as_json=as_json)
        except OSError:  # there is no room for results, as on a full disk
            terminal.drop(sys.stdout)
            report(error, as_json=False)
        if terminal.is_verbose() and error.__cause__ is not None:
            terminal.say(without_passwords("".join(traceback.format_exception(error.__cause__)).rstrip()))
        return error.exit_code
    return result if isinstance(result, int) else 0


def _as_error(problem: Exception) -> TdvError:
    if isinstance(problem, TdvError):
        return problem
    if isinstance(problem, NoArgsIsHelpError):
        return UsageError(problem.format_message(), hint=None)
    if isinstance(problem, ClickException):
        context = getattr(problem, "ctx", None)
        place = context.command_path if context is not None else "tdv"
        return UsageError(problem.format_message(), hint=f"{place} --help lists what it takes.")
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return TargetError("The disk is full", hint="Free some space and run the command again; nothing is lost.")
    if isinstance(problem, OSError) and problem.errno == errno.EROFS:
        hint = "Mount it writable, or work in a copy: `git clone` makes one."
        return TargetError(f"{problem.filename or 'The file system'} cannot be written: it is read-only", hint=hint)
    if isinstance(problem, PermissionError):
        return TargetError(f"No permission for {problem.filename}", hint="Check the owner and the mode of that path.")
    trace = "".join(traceback.format_exception(problem)).rstrip()
    return Bug(f"{type(problem).__name__}: {problem}", hint=f"This is a bug in tdv; please report it with:\n{trace}")


def report(error: TdvError, *, as_json: bool) -> None:
    """Prints an error: text on stderr, or the stable JSON on stdout."""
    if as_json:
        plain: dict[str, Any] = {
            "code": error.code,
            "message": without_passwords(error.message),
            "hint": without_passwords(error.hint) if error.hint else error.hint,
            "exit_code": error.exit_code,
        }
        if isinstance(error, DocumentError):
            plain["problems"] = [
                {"file": p.file, "line": p.line, "key": p.key, "message": without_passwords(p.message)}
                for p in error.problems
            ]
        terminal.json({"error": plain})
        sys.stdout.flush()
        return
    if isinstance(error, UsageError) and error.hint is None:
        terminal.say(without_passwords(error.message))
        return
    terminal.error(without_passwords(error.message))
    if isinstance(error, DocumentError) and len(error.problems) > 1:
        for problem in error.problems:
            terminal.say(f"  {terminal.clean(without_passwords(str(problem)))}")
    if error.hint:
        terminal.hint(without_passwords(error.hint))
