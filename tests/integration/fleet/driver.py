"""The command line of the fleet with a toy in the place of every service."""

import sys
from dataclasses import replace

from deploy.local import table

table.SERVICES = tuple(replace(service, module="tests.integration.fleet.toy", calls=()) for service in table.SERVICES)

if __name__ == "__main__":
    from deploy.local.__main__ import main

    sys.exit(main())
