// SPDX-License-Identifier: Apache-2.0

package attachment_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/attachment"
	"github.com/cni-guard/cni-guard/pkg/ledger"
)

func TestResolve(t *testing.T) {
	s := newScene(t)
	s.cache("aaaaaaaaaaaa0001", "", "", "10.1.0.1")
	s.cache("bbbbbbbbbbbb0001", "", "", "10.1.0.2")
	s.cache("bbbbbbbbbbbb0002", "", "", "10.1.0.3")
	s.cache("dddddddddddd", "", "", "10.1.0.4")
	s.cache("dddddddddddd-1", "", "", "10.1.0.5")
	s.record("", func(r *ledger.Record) { r.ContainerID = "cccccccccccc0001" })
	s.record("", func(r *ledger.Record) { r.ContainerID, r.Network = "eeeeeeeeeeee0001", "other" })
	s.record("", func(r *ledger.Record) { r.ContainerID, r.IfName = "eeeeeeeeeeee0002", "net1" })
	for id, want := range map[string]string{
		"aaaaaaaaaaaa0001":  "aaaaaaaaaaaa0001",
		"aaaaaaaaaaaa":      "aaaaaaaaaaaa0001",
		"aaaaaa":            "aaaaaaaaaaaa0001",
		"cccccccccccc":      "cccccccccccc0001", // by the ledger
		"dddddddddddd":      "dddddddddddd",     // in full, and the beginning of another one
		"aaaaa":             "",                 // too short
		"bbbbbbbbbbbb":      "ambiguous",
		"eeeeeeeeeeee":      "", // another network, another interface
		"aaaaaaaaaaaa00011": "",
		"x":                 "",
	} {
		s.a.ContainerID = id
		got, err := attachment.Resolve(s.a, s.stateDir())
		switch want {
		case "":
			if !errors.Is(err, attachment.ErrUnknown) || got.ContainerID != id {
				t.Errorf("%s becomes %s, %v, want unknown", id, got.ContainerID, err)
			}
		case "ambiguous":
			if err == nil || errors.Is(err, attachment.ErrUnknown) || !strings.Contains(err.Error(), "bbbbbbbbbbbb0001, bbbbbbbbbbbb0002") {
				t.Errorf("%s becomes %s, %v, want both named", id, got.ContainerID, err)
			}
		default:
			if err != nil || got.ContainerID != want || got.CacheDir != s.a.CacheDir {
				t.Errorf("%s becomes %+v, %v, want %s", id, got, err, want)
			}
		}
	}
}

func TestIsShortID(t *testing.T) {
	full := strings.Repeat("0123456789abcdef", 4)
	for id, want := range map[string]bool{
		full: false, full[:63]: true, full[:13]: true, full[:12]: true, full[:11]: false,
		"c0ffee": false, "cnitool-0123456789abcdef": false, full[:12] + "A": false,
	} {
		if attachment.IsShortID(id) != want {
			t.Errorf("LooksShort(%s) = %t", id, !want)
		}
	}
}
