"""The local fleet: embedded engines, the local issuer, the table of parts and the supervisor that runs them.

Refuses to listen beyond the loopback interface; what runs elsewhere is described in deploy/k8s.
"""
