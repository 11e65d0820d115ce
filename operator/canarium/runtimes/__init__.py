"""Built-in runtimes: one YAML each, named as in `spec.runtime.name`."""
