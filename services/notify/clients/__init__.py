"""What goes out beside the inbox: a mail server, an SMS provider, webhooks. Each answers with what came of a try."""
