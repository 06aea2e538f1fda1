"""A mail server that keeps what it is sent, and a page to look into it. It delivers nothing anywhere.

It knows a repeat by its Message-ID, as mailboxes do, and counts how often each mail came. Addresses whose name begins
with `tu-choi` are refused for good, with `ban` for the moment; with `cham` it keeps the mail and never says so.
"""
