"""The console's modules: no bundler tells what its browser would find out too late."""

import re
from pathlib import Path

CONSOLE = Path(__file__).parents[3] / "gateway" / "console"
IMPORTED = re.compile(r"""(?:from |import\(|import )"(\.{1,2}/[^"]+)\"""")
LOADED = re.compile(r"""src="/(app/[^"]+)\"""")


def test_every_module_that_is_imported_is_there() -> None:
    """Also those that pages load, and in the same case: not every developer's disk minds it."""
    modules = {path.relative_to(CONSOLE).as_posix() for path in CONSOLE.glob("app/**/*.js")}
    wanted = {
        (path.parent / name).resolve().relative_to(CONSOLE).as_posix()
        for path in CONSOLE.glob("app/**/*.js")
        for name in IMPORTED.findall(path.read_text())
        if "vendor" not in name
    }
    loaded = {name for page in CONSOLE.glob("*.html") for name in LOADED.findall(page.read_text())}
    assert len(loaded) > 5
    assert (wanted | loaded) - modules == set()
    assert modules - wanted - loaded == set(), "nobody loads these"


def test_modules_are_named_in_one_way() -> None:
    """Words run together, each but the first with a capital, as functions are named."""
    named = re.compile(r"[a-z]+([A-Z][a-z]+)*\.js")
    assert [path.name for path in CONSOLE.glob("app/**/*.js") if not named.fullmatch(path.name)] == []
