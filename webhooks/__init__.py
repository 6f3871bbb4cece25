"""Spoke Webhooks: PBX events in, signed webhook deliveries out.

An event's journey, and the rooms it passes (imports go only downwards in this list):

    web/        every HTTP door: parse, one call, respond
    operate/    the processes and the command line
    registry/   add, change, pause webhooks and locations
    history, search, pulse, sessions, inboxes    what pages, API and commands ask for
    library     recordings: their state and links; erasure takes events away with all that is theirs
    events/     what an event may look like, which webhooks it matches, its durable intake
    delivery/   the outbox, the engine that empties it, one signed attempt, address rules
    media/      recordings: files and their locks, conversion, links, names
    models, changes, db, direct, catalogue, settings, errors    what everything above stands on
"""
