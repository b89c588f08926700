// SPDX-License-Identifier: Apache-2.0

package cri

import "testing"

// Whatever a runtime answers is read or refused, and what is read can be read as
// what containerd has loaded, or not.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x0a\x12\x0a\x10\x0a\x0cNetworkReady\x10\x01"))
	f.Add([]byte("\x12\x0f\x0a\x09cniconfig\x12\x02{}"))
	f.Add([]byte("\x0a\x0b\x0a\x01a\x12\x06\x0a\x01b\x1a\x01c"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if s, err := readStatus(answer); err == nil {
			_, _ = s.Loaded()
		}
		if all, err := readSandboxes(answer); err == nil && len(all) > len(answer) {
			t.Errorf("%d sandboxes in %d bytes", len(all), len(answer))
		}
	})
}
