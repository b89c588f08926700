// SPDX-License-Identifier: Apache-2.0

// Package chain finds the plugins of an attachment and runs their DEL without a
// namespace.
package chain
