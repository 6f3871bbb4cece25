"""The peers: the same events to the same receiver, a bare ``requests.post`` a task, two processes.

Each is set up as its documentation shows it, with one Valkey as the broker of all. ``tasks_*`` are what a
peer runs, ``enqueue`` fills its queue, ``bare_loop`` is what the documentation of requests writes.
"""
