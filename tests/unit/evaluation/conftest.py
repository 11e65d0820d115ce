"""A pool with real worker processes, and what tenants could send."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from canarium.evaluation.pool import Pool


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[Pool]:
    made = Pool()
    yield made
    await made.close()
