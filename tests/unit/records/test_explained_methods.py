"""Records knows the methods of all services by itself, so that access to each can be explained."""

import subprocess
import sys

from tests.support.methods import methods

SCRIPT = """
import sys
import services.records.wiring
from services.records.convert.access import rule_asked

for method in sys.stdin.read().split():
    rule_asked(method, "")
"""


def test_every_method_can_be_asked_about():
    """In a process of its own: here the tests have loaded every interface already."""
    named = "\n".join(method.path for method in methods())

    run = subprocess.run([sys.executable, "-c", SCRIPT], input=named, text=True, capture_output=True, check=False)

    assert run.returncode == 0, run.stderr[-500:]
