// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// The shapes of the networks, one file each: what the node has, in the form of
// netstate.Parse, and what is to come of it.
func TestEnumerate(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 16 {
		t.Fatalf("%d shapes, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			node, want := shape(t, file)
			if got := tableText(tunnel.Enumerate(node)); got != want {
				t.Errorf("the table is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func shape(t *testing.T, file string) (node netstate.TunnelDump, want string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) != 2 || archive.Files[0].Name != "node" || archive.Files[1].Name != "want" || len(archive.Comment) == 0 {
		t.Fatalf("%s: want a comment, node and want", file)
	}
	return dump(t, string(archive.Files[0].Data)), string(archive.Files[1].Data)
}

func dump(t testing.TB, text string) netstate.TunnelDump {
	t.Helper()
	fake, err := netstate.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	d, err := fake.TunnelDump()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// tableText prints a table for people, one entry a line.
func tableText(table tunnel.Table) string {
	var b strings.Builder
	for _, p := range table.Peers {
		b.WriteString(peerText(p) + "\n")
	}
	for _, n := range table.NotEnumerable {
		fmt.Fprintf(&b, "not enumerable %s: %s\n", n.Device, n.Reason)
	}
	for _, d := range table.Down {
		fmt.Fprintf(&b, "down %s: %s\n", d.Device, d.Needed)
	}
	for _, d := range table.Duplicates {
		fmt.Fprintf(&b, "duplicate %s %s: %s\n", d.Device, d.What, strings.Join(d.Who, ", "))
	}
	return b.String()
}

func peerText(p tunnel.Peer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "peer %s %s", p.Device, p.Kind)
	if p.Port != 0 {
		fmt.Fprintf(&b, ":%d", p.Port)
	}
	fmt.Fprintf(&b, " %s", p.Block)
	for _, block := range p.More {
		fmt.Fprintf(&b, " %s", block)
	}
	if p.Outer.IsValid() {
		fmt.Fprintf(&b, " outer %s probed %s", p.Outer, p.Probed)
	} else {
		fmt.Fprintf(&b, " outer unknown probed %s", p.Probed)
	}
	for _, addr := range p.Also {
		fmt.Fprintf(&b, " %s", addr)
	}
	if p.Guessed {
		b.WriteString(" guessed")
	}
	return b.String()
}
