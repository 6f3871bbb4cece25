"""The processes of the appliance, and what starts, watches and stops them."""
