"""Python's cycle collector stands still only where it would search parsed objects in vain."""

from __future__ import annotations

import gc
import json

import pytest

from canarium_cli.collector import paused_collector


def test_collector_runs_again_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError, match="Expecting value"), paused_collector():
        json.loads("odd")
    assert gc.isenabled()


def test_inner_pause_does_not_end_the_outer_one() -> None:
    with paused_collector():
        with paused_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
