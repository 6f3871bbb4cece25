"""Spoke Webhooks: PBX events in, signed webhook deliveries out.

The packages, from the top layer down. An import goes only downwards; the first three never import each other:

    web/         HTTP endpoints: parse, one service call, respond
    cli/         commands, a noun a module
    runtime/     processes: appliance, supervisor, web server, workers, converters, housekeeping
    services/    what pages, API and commands call, a noun a module
    retention/   removal of what is old or erased
    events/      what an event may look like, which webhooks it matches, its durable intake
    dispatcher/  the dispatcher of each worker process, which empties the outbox
    outbox/      SQL over the delivery table; the wake-up through RQ
    outbound/    HTTP that leaves the appliance: attempts, address rules, signatures
    media/       recordings: files, conversion, links, names
    db/          tables, migrations, transactions

Beside them: audit, vault, keyring, tokens, data_dir, catalogue, settings, cleaning and errors.
"""
