"""One step beside another."""

from __future__ import annotations

from threading import Barrier

import pytest

from tdv.targets.beside import Beside


def test_step_runs_while_its_caller_goes_on() -> None:
    meeting = Barrier(2, timeout=10)
    step = Beside(lambda: meeting.wait() * 0 + 7)
    meeting.wait()
    assert step.result() == 7


def test_error_is_raised_where_the_result_is_asked_for() -> None:
    step = Beside(lambda: int("seven"))
    step.wait()
    with pytest.raises(ValueError, match="seven"):
        step.result()
