// SPDX-License-Identifier: Apache-2.0

// Package edit puts the guard's entry into a list of plugins, and takes it out,
// without touching any other byte: the order of keys, the indentation, numbers
// beyond a float64, and what else a decoder and an encoder would lose.
//
// What libcni refuses is never made, and what two parsers could read in two ways
// is left alone: duplicate keys, escaped names of keys, a byte order mark,
// comments. The errors say what and where; the caller adds the name of the file.
package edit
