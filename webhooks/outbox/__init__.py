"""SQL over the delivery table: claim, settle, leases, hold, replay; and the wake-up through RQ."""
