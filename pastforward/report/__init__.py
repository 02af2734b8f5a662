"""L4. What people look at: one template loader, one chart style, one table."""
