module canarium.dev/tests/istio

go 1.26

require istio.io/api v1.30.8
