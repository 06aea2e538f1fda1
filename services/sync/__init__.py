"""Sync: the border. Receives what schools' systems send and answers row by row.

Owns batches with their outcomes, files on their way in, the quarantine, the connections of schools and how far each
is connected, the profiles that say how a sender's names become ours, and the rules that say which dates of birth can
be; on the way out destinations, what each is to have of every record, packages, outcomes, comparisons; partners with
their keys, for whom they push and what they try out. Publishes `connections-changed`, `coverage-changed`, `pushes-
changed` and `erasures-confirmed`, and the keys of partners in the broker's bucket `keyring`; shows these to the edge
by HTTP. Calls records to store rows, to give and end the roles of partners, to make and empty sandboxes, to compare
files with what is held, for what a person corrects by hand, and to read the change feed; calls the ministry and
subscribers. Listens to the scopes, to `erasures-requested` and to `locks-changed`, which lets
held rows through. Refuses rows that break their rules, name unknown fields or lie outside the batch's unit, each with
a reason and what to do, in the sender's names and the caller's language, and never the neighbours of such a row.
"""
