"""What sync calls: records, which stores and gives rows, and the destinations records are passed on to."""
