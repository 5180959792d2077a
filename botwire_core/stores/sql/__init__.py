"""What stores on SQL databases have in common: the records of spaces, the past, and what is let go.

Each statement that stands here is one that SQLite and PostgreSQL both speak, with `?1` for a bound value. What they
do differently (how a row is found by commit order, who locks what, how a point read is made in one step) each store
writes for itself.
"""
