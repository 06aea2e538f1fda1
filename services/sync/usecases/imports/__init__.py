"""Files in: taken, looked at, confirmed where something seems wrong, carried by slices, given back with reasons."""
