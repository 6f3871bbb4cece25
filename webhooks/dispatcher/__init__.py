"""The engine in each RQ worker process that claims due deliveries and sends them."""
