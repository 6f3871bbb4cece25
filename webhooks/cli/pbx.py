"""``pbx``: phone systems that the appliance is connected to."""

from webhooks.cli.common import new_group

group = new_group("pbx", "Phone systems, and what they say.", "flask --app app pbx replay day.jsonl")
