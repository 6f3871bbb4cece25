"""Recordings: files and their locks, conversion, links, names."""
