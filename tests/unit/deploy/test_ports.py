"""Ports a fleet takes for its parts."""

from deploy.local.ports import FREE_RANGE, free_port


def test_no_port_is_given_out_twice() -> None:
    """A port stays free until its part binds it: two parts of one fleet never get the same."""
    given = [free_port() for _ in range(600)]
    assert len(set(given)) == len(given)
    assert all(port in FREE_RANGE for port in given)
