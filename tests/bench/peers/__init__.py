"""The peers: the same events to the same receiver, a bare POST a task, two processes, a queue that keeps.

The Python peers come in two forms: as their documentation shows them, and tuned (``posting``). A Valkey that
syncs its file each second is the broker of all but PgQueuer, which has PostgreSQL with its own defaults.

catalogue    who takes part, with what commands, and what each does not do
contest      how many deliveries a second, and what one costs
environment  their virtual environment, Node packages, broker and database
posting      the request, in both forms; ``tasks_*``, ``worker_*``, ``bullmq.mjs``: what a peer runs
fill         fills a peer's queue
bare_loop    what the documentation of requests writes
"""
