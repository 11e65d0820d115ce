"""The pages. Each module has the handlers of one part; `answers` makes what they return.

Reading order: `answers`, `login`, `scope` (which models a person may list), `fleet`, `model`,
`commands`, `revision`, `logs`, `runtimes`, `streams`.
"""
