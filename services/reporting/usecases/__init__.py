"""What reporting does: follow changes, answer questions, watch figures, verify and rebuild."""
