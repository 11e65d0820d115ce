#!/bin/sh
# Trains a model, registers it, moves the alias, and waits until it is promoted: `sh job.sh`.
# Needs: what README.md of this folder lists; the five commands are the same in all files of the folder.
# Exit codes: 0 promoted, 1 rolled back, 3 timeout, 5 kubectl fails, 6 waits for a person.
set -eu
export MODEL="${MODEL:-fraud}" ALIAS="${ALIAS:-champion}"
export NAMESPACE="${NAMESPACE:-models}" DEPLOYMENT="${DEPLOYMENT:-fraud}"

python train.py model
python release.py register model > version
python release.py alias "$(cat version)"
python release.py revision "$(cat version)" > revision
kubectl modeldeploy status "$DEPLOYMENT" -n "$NAMESPACE" --revision "$(cat revision)" --until gate --timeout 2h
