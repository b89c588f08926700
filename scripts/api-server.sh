#!/bin/sh
# api-server.sh: has a real API server of Kubernetes judge what the Helm chart makes, and what its
# account may do. The first run builds the API server, etcd, kubectl and helm: twenty minutes on
# two idle cores. scripts/cluster.sh runs the same test, and everything that needs nodes.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh
bin=$PWD/conformance/bin
scripts/kubernetes.sh "$bin" kube-apiserver kubectl etcd helm
scripts/crds.sh "$bin"
CNI_GUARD_CLUSTER=$bin CGO_ENABLED=0 go test -C conformance -v -count 1 -exec "$PWD/scripts/in-node" -run '^TestServerSide$' ./cluster
