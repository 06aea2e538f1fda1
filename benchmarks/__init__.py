"""Every figure the README quotes can be measured here, each beside its floor."""
