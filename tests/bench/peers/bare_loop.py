"""The loop of requests' documentation: ``bare_loop.py URL COUNT EVENT [without-environment]``."""

import json
import sys

import requests

url, count, event, *more = sys.argv[1:]
fields = json.loads(event)
session = requests.Session()
session.trust_env = not more
for _ in range(int(count)):
    session.post(url, json=fields)
