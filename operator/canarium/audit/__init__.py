"""`canarium record NAME`: which bytes answered, when, and on whose word, as JSON for audits."""
