"""What sync does, one function per intention."""
