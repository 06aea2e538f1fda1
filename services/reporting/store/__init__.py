"""Every query of reporting: projecting changes, recounting, the catalogue, and the mirror that answers questions."""
