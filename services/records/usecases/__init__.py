"""One function per intention. Each works inside the transaction its caller opened, or says that it opens its own."""
