"""Long work done by a command, with a progress bar on standard error."""

import sys
import time
from typing import Final

from click import progressbar

from webhooks.services.long_jobs import JobRow, LongJobs

_PAUSE_SECONDS: Final = 0.1


def run_job(jobs: LongJobs[JobRow], job: JobRow, label: str) -> JobRow:
    """Do a job until it ends or somebody pauses it. Returns it as it is then.

    Should the command be interrupted, housekeeping goes on with the job.
    """
    with progressbar(length=job.total or 1, label=label, file=sys.stderr) as bar:
        while job.state == "running":
            step = jobs.step(job.id)
            bar.update(step.job.progress - job.progress)
            job = step.job
            if step.waiting:
                time.sleep(_PAUSE_SECONDS)
    return job
