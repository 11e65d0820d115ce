"""`report`: an archive for a bug report.

Reading order: `redaction` (what is removed), `collection` (what is read), `archive` (the file).
Secrets are never read, and nothing leaves the machine: the archive is a local file.
"""
