#!/bin/sh
# Releases a registered version to staging, and to production once it is promoted there: `sh environments.sh`.
# Needs: the file `version` that job.sh writes, and a model in each namespace that follows the alias of that name.
# Exit codes: those of job.sh; a version that fails in staging never gets the alias of production.
set -eu
export MODEL="${MODEL:-fraud}" DEPLOYMENT="${DEPLOYMENT:-fraud}"

for environment in staging production; do
  export ALIAS="$environment" NAMESPACE="$environment"
  python release.py alias "$(cat version)"
  python release.py revision "$(cat version)" > revision
  kubectl modeldeploy status "$DEPLOYMENT" -n "$NAMESPACE" --revision "$(cat revision)" --until baked --timeout 2h
done
