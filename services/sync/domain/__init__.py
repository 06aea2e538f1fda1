"""What sync knows by itself: problems and their words, profiles, births, documents, batches, connections."""
