"""The design's table of targets, measured: ``.venv/bin/python tests/bench/run.py --help``.

run         the command: which rows, how long
report      the table, the conclusion above it, machine and versions below it
rows/       a row of the table each: ours, the peers, the physical limit, in one run
peers/      Celery, dramatiq, huey, RQ and a bare loop, each doing a bare POST a task
session     one run: its folder, its sizes, its progress lines
sink        the receiver of all contestants (sink_server is its process)
appliance   the real appliance, its webhooks, its outbox filled and released
pace        events posted at a steady rate
wrk         HTTP load by wrk (hook.lua makes the bodies), ok_app is what it is compared with
"""
