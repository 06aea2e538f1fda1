"""Every table and every query of records. Knows no protobuf and decides nothing."""
