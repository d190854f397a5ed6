"""Every formula, once: pure arithmetic on arrays of any library, in nats, with no checks and no options."""
