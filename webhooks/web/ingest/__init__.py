"""The endpoints that a PBX posts to."""
