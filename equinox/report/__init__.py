"""Claims and the report page, made from the tables."""
