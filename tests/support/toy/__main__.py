"""The toy as a process, as services run; `TOY_WORKER=dies` gives it a worker that breaks, `TOY_FRIEND` another toy."""

import asyncio
import os
from contextlib import AsyncExitStack

from chassis.clients import channel
from chassis.identity import ServiceIdentity
from chassis.scopes import ScopeGrant, Scopes, ScopeTree, ScopeUnit
from chassis.server import App, Worker, run
from tests.support.toy.service import ToyServicer, toy_app
from tests.support.toy.settings import Settings


async def _dies(_stop: asyncio.Event) -> None:
    await asyncio.sleep(0)
    raise RuntimeError("the worker broke")


async def build(settings: Settings, resources: AsyncExitStack) -> App:
    """Assemble the toy."""
    friend = None
    if "TOY_FRIEND" in os.environ:
        identity = ServiceIdentity("toy", settings.service_key_file, issuer=settings.issuer)
        friend = await resources.enter_async_context(await channel(os.environ["TOY_FRIEND"], service_identity=identity))
    workers = [Worker("doomed", _dies)] if os.environ.get("TOY_WORKER") == "dies" else []
    tree = ScopeTree([ScopeUnit(1)], [ScopeGrant(1, "an", "keeper", 1)])
    return toy_app(ToyServicer(friend), Scopes.of(tree), workers=workers)


if __name__ == "__main__":
    run("toy", build, Settings)
