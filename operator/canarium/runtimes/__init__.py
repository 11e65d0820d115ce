"""Built-in runtimes: one YAML each, named by what `spec.runtime.name` says."""
