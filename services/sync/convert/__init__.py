"""Where protobuf and domain meet: rows checked and made, profiles loaded, answers built."""
