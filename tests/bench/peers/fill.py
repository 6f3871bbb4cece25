"""Fill a peer's queue: ``fill.py MODULE URL COUNT EVENT``. A process of the peers' environment."""

import importlib
import json
import sys

module, url, count, event = sys.argv[1:]
importlib.import_module(module).fill(url, json.loads(event), int(count))
