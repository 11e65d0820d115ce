"""Objects in files: read with the position of every field, so that a message can point at it.

Reading order: `finding` (what is wrong, and where), `documents` (an object with its positions),
`reading` (files, folders and standard input).
"""
