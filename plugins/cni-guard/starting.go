// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// readyMark is the file in the folder of the hold-down that names the CRI-O which
// STATUS has answered with success.
const readyMark = ".ready"

// startingCRIO reports whether the caller is a CRI-O that has not had a success
// since it started. It asks twice a second until it gets one, and then, without
// cni_status_grace_period, never again (cri-o/cri-o#9918, internal/config/cnimgr).
// A first answer that the hold-down made a success would hide for good what was
// found. With a grace period CRI-O waits itself before it reports anything.
func startingCRIO(dir string) bool {
	crio := callingCRIO()
	if crio == nil {
		return false
	}
	told, _ := os.ReadFile(filepath.Join(dir, readyMark))
	return !bytes.Equal(told, crio)
}

// toldReady remembers which CRI-O was answered with success. Where it cannot, the
// hold-down cannot remember a finding either, and nothing is reported.
func toldReady(dir string) {
	crio := callingCRIO()
	if crio == nil {
		return
	}
	path := filepath.Join(dir, readyMark)
	if told, err := os.ReadFile(path); err == nil && bytes.Equal(told, crio) {
		return
	}
	if os.MkdirAll(dir, 0o700) == nil {
		_ = os.WriteFile(path, crio, 0o600)
	}
}

// callingCRIO identifies the CRI-O that called, by its process ID and its start time
// (proc_pid_stat(5)); nil where another program did.
func callingCRIO() []byte {
	if name, err := caller(); err != nil || name != "crio" {
		return nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", os.Getppid()))
	if err != nil {
		return nil
	}
	_, after, _ := bytes.Cut(stat, []byte("(crio) "))
	const startTime = 22 - 3 // the first field after the name is the third
	fields := bytes.Fields(after)
	if len(fields) <= startTime {
		return nil
	}
	return fmt.Appendf(nil, "%d %s\n", os.Getppid(), fields[startTime])
}
