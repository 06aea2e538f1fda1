"""Opens pages of the console in a browser as somebody, each in a context of its own."""

import os
import re
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page

from tests.e2e.world import World

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
WAIT = 30_000
UNANSWERED = "Failed to load resource"
_PICTURES = os.environ.get("CONSOLE_PICTURES", "")  # A folder to keep screenshots in, for looking at them.

Visit = Callable[..., Awaitable[Page]]


class Visits:
    """The pages one test has opened, and what they and the browser complained of."""

    def __init__(self, browser: Browser, contexts: AsyncExitStack) -> None:
        self.complaints: list[str] = []
        self._browser = browser
        self._contexts = contexts

    async def open(
        self,
        world: World,
        subject: str,
        path: str = "/",
        *,
        token: str | None = None,
        forgiven: str = "",
        **screen: Any,
    ) -> Page:
        """Open a page, with what its address says after the number sign, signed in by link.

        As `subject`, or with a `token` of the caller's own making; with neither nobody is signed in.
        `forgiven` is a pattern of what a test provokes: browsers log every answer that is no 200. `screen` is what a
        context of Playwright takes.
        """
        context = await self._browser.new_context(**({"locale": "vi-VN"} | screen))
        self._contexts.push_async_callback(context.close)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(error.stack or str(error)))
        page.on("console", lambda message: self._listen(message, forgiven))
        given = token or (world.token(subject) if subject else "")
        place, _, fragment = path.partition("#")
        said = "&".join([*([f"token={given}"] if given else []), *([fragment] if fragment else [])])
        await page.goto(f"http://{world.fleet.gateway}{place}#{said}")
        return page

    def _listen(self, message: ConsoleMessage, forgiven: str) -> None:
        """Keep what is more than a remark."""
        grave = message.type in ("error", "warning", "assert")
        if grave and not (forgiven and re.search(forgiven, message.text)):
            self.complaints.append(message.text)


async def picture(page: Page, name: str) -> None:
    """Keep a screenshot where somebody asked for them."""
    if _PICTURES:
        await page.screenshot(path=Path(_PICTURES) / f"{name}.png", full_page=True)
