"""What sync knows by itself: problems and their words, profiles, documents, batches, connections."""
