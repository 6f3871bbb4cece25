"""Phone systems: what they send, turned into our events. Pure: no sockets, no database, no clock."""
