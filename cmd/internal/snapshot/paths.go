// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// LinkCounters implements View.
func (r recorder) LinkCounters(link string) (netstate.LinkCounters, error) {
	v, err := r.View.LinkCounters(link)
	return record(&r.k.Answers, v, err, "LinkCounters", link)
}

// Offload implements View.
func (r recorder) Offload(link string) (netstate.Offload, error) {
	v, err := r.View.Offload(link)
	return record(&r.k.Answers, v, err, "Offload", link)
}

// AskMAC implements View. Each question is recorded on its own, as a replay may ask others
// beside it.
func (r recorder) AskMAC(ctx context.Context, questions []netstate.MACQuestion) ([]netstate.MAC, error) {
	macs, err := r.View.AskMAC(ctx, questions)
	for i, q := range questions {
		var mac netstate.MAC
		if i < len(macs) {
			mac = macs[i]
		}
		_, _ = record(&r.k.Answers, mac, err, askMAC(q)...)
	}
	return macs, err
}

func askMAC(q netstate.MACQuestion) []any {
	return []any{"AskMAC", q.Tunnel.Name, q.Outer.String(), q.Inner.String()}
}

// LinkCounters implements View.
func (r *replayed) LinkCounters(link string) (netstate.LinkCounters, error) {
	return replay[netstate.LinkCounters](&r.k.Answers, "LinkCounters", link)
}

// Offload implements View.
func (r *replayed) Offload(link string) (netstate.Offload, error) {
	return replay[netstate.Offload](&r.k.Answers, "Offload", link)
}

// AskMAC implements View.
func (r *replayed) AskMAC(_ context.Context, questions []netstate.MACQuestion) ([]netstate.MAC, error) {
	macs := make([]netstate.MAC, len(questions))
	var failed error
	for i, q := range questions {
		mac, err := replay[netstate.MAC](&r.k.Answers, askMAC(q)...)
		if err != nil {
			failed = err
			continue
		}
		macs[i] = mac
	}
	return macs, failed
}
