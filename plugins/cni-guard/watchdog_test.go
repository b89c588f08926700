// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A panic may quote a name that somebody chose for the terminal of the reader.
func TestPanicIsPrintable(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	defer func(before *os.File) { os.Stderr = before }(os.Stderr)
	os.Stderr = file
	if err := unlessPanic(func() error { panic("read x\x1b[2J\nall is well") }); err != nil {
		t.Errorf("it is an error: %v", err)
	}
	said, err := os.ReadFile(file.Name())
	const want = `cni-guard: bug: panic: read x\u001b[2J\nall is well; the call is let through unguarded` + "\n"
	if err != nil || string(said) != want {
		t.Errorf("it says %q, error %v", said, err)
	}
}
