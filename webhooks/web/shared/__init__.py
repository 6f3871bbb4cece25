"""What all HTTP endpoints use: who may come in, request bodies, limits, problem documents."""
