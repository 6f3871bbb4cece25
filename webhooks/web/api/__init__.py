"""The HTTP API: a noun a module; keys, limits, lists and the document that describes it all."""
