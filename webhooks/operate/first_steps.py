"""Run once by the supervisor before anything else: prepares, and prints the admin's first password."""

import logging
import sys

from webhooks.db import Store
from webhooks.errors import SpokeError
from webhooks.operate import logs
from webhooks.operate.prepare import prepare, print_password, secret_key
from webhooks.settings import load_settings


def main() -> int:
    settings = load_settings()
    logs.set_up("appliance", settings.log)
    try:
        password = prepare(settings, Store(settings))
        secret_key(settings)
    except SpokeError as error:
        logging.getLogger(__name__).error("%s", error)
        return 1
    print_password(password)
    return 0


if __name__ == "__main__":
    sys.exit(main())
