"""The only door: Envoy, configured from the protos, and the operations console."""
