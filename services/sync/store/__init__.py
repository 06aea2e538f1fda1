"""Every table and every query of sync. Knows no protobuf and decides nothing."""
