"""Command lines, one module a tool."""
