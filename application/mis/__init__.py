"""The MIS database: read it, claim rows in it, build a synthetic one."""
