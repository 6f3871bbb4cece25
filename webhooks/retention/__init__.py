"""Removal of what is old or erased: purge, events with all that belongs to them, media files."""
