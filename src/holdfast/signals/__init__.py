"""External series on their way in: files, addresses that are asked, and who calls by himself."""
