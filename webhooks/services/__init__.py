"""What pages, API and commands call; a noun a module.

Each change is one transaction and holds at once in every process. Methods raise NotFound for an unknown name
or id, Conflict where the state forbids the change, Invalid for a value that cannot be taken, and Unavailable
where the database cannot be read or written now.
"""
