"""Small real clients of a school system and of the provincial IOC."""
