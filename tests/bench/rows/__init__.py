"""The rows of the table. Each module's ``measure`` gives the lines of one."""
