"""The five services of the platform; each is a command: `python -m services.<name>`."""
