"""What phone systems say, translated into our events: pure functions of messages and times, no sockets."""
