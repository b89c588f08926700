// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// lookAtTunnels gives the table, of which peers are asked where that is wanted.
// What takes longer than a second is told to wait.
func lookAtTunnels(ctx context.Context, k *tunnel.Keeper, probe bool, wait io.Writer) (tunnelTable, error) {
	dump, err := k.Dump()
	if err != nil {
		return tunnelTable{}, &cli.ExitError{Code: cli.ExitUnknown, Err: err}
	}
	table := tunnel.Enumerate(dump)
	peers := tunnel.Select(table, k.Kinds, slices.DeleteFunc(slices.Clone(k.Extra), k.Local))
	found := tunnelTable{NotEnumerable: notEnumerable(table, dump.Links, k.Kinds), asked: probe}
	var asked []tunnel.Answer
	if probe {
		stop := cli.Waiting(wait, fmt.Sprintf("answers of peers (there are %d)", len(peers)))
		asked = k.Once(ctx)
		stop()
		found.trouble = k.Trouble()
	}
	known, err := k.Memory.Load(time.Now())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		found.unread = err
	}
	for _, p := range peers {
		found.Peers = append(found.Peers, rowOf(p, known.Of(p), asked))
	}
	return found, nil
}

// notEnumerable gives those of some kinds.
func notEnumerable(table tunnel.Table, links []netstate.TunnelLink, kinds []string) []notEnumerableOf {
	shown := make(map[string]bool, len(links))
	for _, link := range links {
		shown[link.Name] = slices.Contains(kinds, link.Kind)
	}
	list := []notEnumerableOf{} // never null in JSON
	for _, u := range table.NotEnumerable {
		if shown[u.Device] {
			list = append(list, notEnumerableOf{u.Device, u.Reason})
		}
	}
	return list
}

// verdict turns the table into the exit code: whoever was asked and did not answer
// at once is worth a look.
func (t tunnelTable) verdict() error {
	for _, what := range slices.Sorted(maps.Keys(t.trouble)) {
		if what == "ask all peers" || what == "list the peers" {
			return &cli.ExitError{Code: cli.ExitUnknown, Err: errors.New("cannot " + what + ": " + t.trouble[what]), Hint: "it takes root, or CAP_NET_RAW"}
		}
	}
	unasked := 0
	for _, p := range t.Peers {
		switch {
		case p.State == tunnel.Unprobed && p.Probed != "":
			unasked++
		case p.State != tunnel.Unprobed && p.State != tunnel.Answered:
			return cli.Exit(cli.ExitFindings)
		}
	}
	switch {
	case t.asked && unasked > 0:
		return &cli.ExitError{Code: cli.ExitUnknown, Err: fmt.Errorf("cannot tell of %d peers: there was no time to ask them", unasked), Hint: "run it again"}
	case !t.asked && t.unread != nil:
		return &cli.ExitError{Code: cli.ExitUnknown, Err: t.unread, Hint: "run it as root, or with --probe, which asks the peers"}
	}
	return nil
}
