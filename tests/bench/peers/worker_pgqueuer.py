"""PgQueuer's worker, without its command line, whose log level is broken in 1.6.0.

The documented one takes ten jobs at a time, the tuned one a hundred.
"""

import asyncio

import pgqueuer
import posting
from tasks_pgqueuer import main

asyncio.run(pgqueuer.run(main, batch_size=100 if posting.TUNED else 10))
