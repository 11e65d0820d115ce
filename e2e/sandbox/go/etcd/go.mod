module canarium.dev/sandbox/etcd

go 1.26.0
