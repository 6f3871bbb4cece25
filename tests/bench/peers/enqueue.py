"""Fill a peer's queue: ``enqueue.py MODULE URL COUNT EVENT``. A process of the peers' environment."""

import importlib
import json
import sys

module, url, count, event = sys.argv[1:]
enqueue = importlib.import_module(module).enqueue
fields = json.loads(event)
for _ in range(int(count)):
    enqueue(url, fields)
