"""What must not be lost: the journal, the keys and the database."""
