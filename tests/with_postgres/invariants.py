"""What holds of the tables of a store on PostgreSQL at every moment, whoever has done what to them at once."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from with_postgres.servers import Database

__all__ = ["broken", "schema_of"]

_RULES = {
    "rows of a space that is not there": "SELECT * FROM versions WHERE space NOT IN (SELECT id FROM spaces)",
    "snapshots of a space that is not there": "SELECT * FROM snapshots WHERE space NOT IN (SELECT id FROM spaces)",
    "highest numbers of logs of no space": "SELECT * FROM log_floors WHERE space NOT IN (SELECT id FROM spaces)",
    "merges of spaces that are not there": """SELECT * FROM merges WHERE source NOT IN (SELECT id FROM spaces)
        OR target NOT IN (SELECT id FROM spaces)""",
    "forks of a space that is not there": """SELECT * FROM spaces
        WHERE parent IS NOT NULL AND parent NOT IN (SELECT id FROM spaces)""",
    "spaces that nobody can reach": """SELECT * FROM spaces s
        WHERE name IS NULL AND NOT EXISTS (SELECT 1 FROM spaces WHERE parent = s.id)""",
    "rows that nobody can reach": """SELECT space, revision FROM versions v JOIN spaces s ON s.id = v.space
        WHERE name IS NULL AND revision > (SELECT max(forked_at) FROM spaces WHERE parent = s.id)""",
    "forks from a revision that is not reached": """SELECT f.id FROM spaces f JOIN spaces s ON s.id = f.parent
        WHERE s.name IS NOT NULL AND f.forked_at > greatest(
            s.head, s.forked_at, (SELECT max(revision) FROM versions WHERE space = s.id))""",
    "versions of a key that do not rise with its revisions": """SELECT * FROM (
        SELECT space, key, version, lag(version) OVER (PARTITION BY space, key ORDER BY revision) AS before
        FROM versions) AS one WHERE before >= version""",
    "rows that do not know the one before": """SELECT * FROM (
        SELECT space, key, revision, previous, lag(revision) OVER (PARTITION BY space, key ORDER BY revision) AS before
        FROM versions) AS one WHERE previous >= revision OR previous < before""",
    "revisions whose times do not rise": """SELECT * FROM (
        SELECT space, revision, updated, lag(updated) OVER (PARTITION BY space ORDER BY revision, place) AS before
        FROM versions) AS one WHERE before > updated""",
    "rows of logs that are not numbered as they were committed": """SELECT * FROM (
        SELECT space, key, lag(key) OVER (PARTITION BY space, left(key, -20) ORDER BY revision, place) AS before
        FROM versions WHERE version = 1 AND key ~ '/[0-9]{19}$') AS one WHERE before >= key""",
}


def broken(database: Database, url: str) -> dict[str, list[object]]:
    """What does not hold in the schema of a store's URL: some rows for each rule that is broken."""
    import psycopg

    with psycopg.connect(database.url, options=f"-c search_path={schema_of(url)}") as connection:
        found = {rule: connection.execute(f"{sql} LIMIT 5").fetchall() for rule, sql in _RULES.items()}  # type: ignore[arg-type]
    return {rule: list(rows) for rule, rows in found.items() if rows}


def schema_of(url: str) -> str:
    """The schema that a store's URL names."""
    return parse_qs(urlsplit(url).query)["schema"][0]
