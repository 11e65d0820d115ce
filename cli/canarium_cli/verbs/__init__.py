"""The verbs, one module each: parse the options, read, print, and choose the exit code."""
