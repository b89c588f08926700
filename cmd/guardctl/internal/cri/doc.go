// SPDX-License-Identifier: Apache-2.0

// Package cri asks a running container runtime about itself, over its own socket:
// what it has loaded, which is not always what lies on the disk, and which
// sandboxes it knows. It speaks gRPC by the HTTP/2 client of the standard library.
// Two calls, of which a few fields are read, need neither grpc-go nor the packages
// of Kubernetes, which would double the size of guardctl (docs/architecture.md).
package cri
