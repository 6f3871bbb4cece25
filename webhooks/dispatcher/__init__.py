"""The dispatcher in each worker process: claims due deliveries, sends them, settles what came of them."""
