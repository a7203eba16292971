"""For all tests: which event loop a test runs in, and the fixtures that several folders share."""

import asyncio
import gc
from collections.abc import Callable, Mapping

import hypothesis
import pytest
import uvloop

pytest_plugins = [
    "tests.dns_fixture",
    "tests.intake_fixture",
    "tests.integration.database_fixture",
    "tests.integration.desk_fixture",
    "tests.integration.cli_fixture",
    "tests.integration.api_fixture",
    "tests.integration.reclassify_fixture",
    "tests.integration.world_fixture",
    "tests.integration.journal_fixture",
    "tests.integration.reached_fixture",
]

gc.disable()  # what is collected stays to the end, and a collector that walks through it takes a tenth of the time


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


hypothesis.settings.register_profile("bouncemx", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("bouncemx")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The intake is tested in the loop that it is served in; everything else in asyncio's own."""
    if "dialogues" in item.path.parts or item.path.name.startswith("test_intake_"):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}
