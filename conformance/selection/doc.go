// SPDX-License-Identifier: Apache-2.0

// Package selection compares what our code says a runtime loads from a directory
// with what the runtime's own library loads from it: go-cni for containerd,
// ocicni for CRI-O. The directories are made up at random, thousands of them. Its
// tests are all it has; "go test ./selection -seed 7 -directories 20000" makes other
// directories, and more.
package selection
