// SPDX-License-Identifier: Apache-2.0

package main

// Exit codes. Zero is "clean".
const (
	findings   = 1
	cannotTell = 2
)

// An exitError ends the program with a code. Without err it does so silently,
// for everything was printed already.
type exitError struct {
	code int
	err  error
	hint string // what to do about it; may be empty
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }
