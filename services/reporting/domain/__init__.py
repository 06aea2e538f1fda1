"""What a figure is: the catalogue's values, the cube they are summed from, and which cells must not be shown."""
