"""The wire: ops, results and errors as JSON, for both ends of an HTTP connection."""
