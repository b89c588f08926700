// SPDX-License-Identifier: Apache-2.0

// Package netstate is the kernel's networking as checks see it: what a path
// given as CNI_NETNS really is, and the links, addresses, routes and sysctls of
// a namespace. It is the only package that enters namespaces and the only one
// that speaks netlink; see its README for why.
//
// Checks see a View. Live is the kernel, Fake a model of it that keeps state
// and has a text form, so that a check can be tested without privileges.
package netstate
